#!/usr/bin/env node
import { Command } from 'commander';
import { register as registerCamera } from './camera.ts';
import { register as registerLocal } from './local.ts';

const program = new Command('firstlight')
  .description('Takes a camera from its first boot to its first frame.')
  .showHelpAfterError('(see --help)');

registerLocal(program);
registerCamera(program);

await program.parseAsync();
