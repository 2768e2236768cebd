import type { Command } from 'commander';
import { register as registerActs } from './device-acts.ts';
import { register as registerExport } from './device-export.ts';
import { register as registerList } from './device-list.ts';
import { register as registerProvision } from './device-provision.ts';
import { register as registerRehome } from './device-rehome.ts';
import { register as registerShow } from './device-show.ts';
import { register as registerWhy } from './device-why.ts';

export function register(program: Command): void {
  const device = program.command('device').description('The cameras: what is known of them, and what ops does to one.');
  for (const one of [
    registerList,
    registerExport,
    registerShow,
    registerWhy,
    registerActs,
    registerRehome,
    registerProvision,
  ])
    one(device);
}
