#!/usr/bin/env node
import { Command } from 'commander';

interface CommandFile {
  register(program: Command): void;
}

/** Each loads what it needs and no more: checking a manifest does not wait for a stand-in to be read. */
const commands: Record<string, () => Promise<CommandFile>> = {
  local: () => import('./local.ts'),
  camera: () => import('./camera.ts'),
  manifest: () => import('./manifest.ts'),
  device: () => import('./device.ts'),
  stats: () => import('./stats.ts'),
  'claim-certificate': () => import('./claim-certificate.ts'),
  reconcile: () => import('./reconcile.ts'),
  doctor: () => import('./doctor.ts'),
  'provisioning-claim': () => import('./provisioning-claim.ts'),
};

const program = new Command('firstlight')
  .description('Takes a camera from its first boot to its first frame.')
  .showHelpAfterError('(see --help)');

const named = commands[process.argv[2] ?? ''];
for (const load of named ? [named] : Object.values(commands)) (await load()).register(program);

await program.parseAsync();
