import { isDeepStrictEqual } from 'node:util';
import type { Device, ReprovisioningPolicy } from '../domain/device.ts';
import { Failure } from '../domain/failure.ts';
import {
  approveClaim,
  keyOfClaim,
  type Order,
  reopen,
  resume,
  retire,
  setReprovisioning,
  suspend,
} from '../domain/lifecycle.ts';
import type { RefusedClaim } from '../domain/refusal.ts';
import {
  type CutOffSettings,
  carryOut,
  type RegistryPort,
  type RemovePorts,
  type RestorePorts,
  remove,
  restore,
  type SilencePorts,
  silence,
} from './cut-off.ts';

/** `version`: the one that the caller has seen; absent, whatever is there. */
export type Act = Order & { serialNumber: string; version?: number };

type Recorder = { registry: RegistryPort; now(): Date };

export const find = async (serialNumber: string, registry: RegistryPort): Promise<Device> => {
  const device = await registry.read(serialNumber);
  if (!device) throw new Failure('device-not-found', `no device ${serialNumber} was announced`);
  return device;
};

export const conflict = ({ serialNumber, version }: Device): Failure =>
  new Failure(
    'version-conflict',
    `somebody else has changed ${serialNumber}; it is at version ${version}`,
    [],
    version,
  );

/** Writes what a decision makes of a device. Whoever loses to somebody else is told the version that won. */
export const record = async (
  before: Device,
  decided: Device | Failure,
  { registry }: { registry: RegistryPort },
): Promise<Device> => {
  if (decided instanceof Failure) throw decided;
  if (decided === before || (await registry.save(before, decided))) return decided;
  const fresh = await find(before.serialNumber, registry);
  // The write was done and its answer lost: the client's own retry met it and lost to it.
  const isOurs = fresh.version === decided.version && isDeepStrictEqual(fresh.history.at(-1), decided.history.at(-1));
  if (isOurs) return fresh;
  throw conflict(fresh);
};

const decide = async (
  { serialNumber, version }: Act,
  decision: (device: Device) => Device | Failure,
  ports: Recorder,
) => {
  const device = await find(serialNumber, ports.registry);
  if (version !== undefined && version !== device.version) throw conflict(device);
  return record(device, decision(device), ports);
};

export const suspendDevice = async (act: Act, ports: Recorder & SilencePorts, settings: CutOffSettings) => {
  const device = await decide(act, (known) => suspend(known, act, ports.now()), ports);
  return carryOut(device, 'function:suspend-device', (one) => silence(one, ports, settings), ports);
};

export const resumeDevice = async (act: Act, ports: Recorder & RestorePorts) => {
  const device = await decide(act, (known) => resume(known, act, ports.now()), ports);
  return carryOut(device, 'function:resume-device', (one) => restore(one, ports), ports);
};

export const retireDevice = async (
  act: Act & { streams: 'keep' | 'delete' },
  ports: Recorder & RemovePorts,
  settings: CutOffSettings & { devicePolicy: string },
) => {
  const device = await decide(act, (known) => retire(known, act, ports.now()), ports);
  return carryOut(device, 'function:retire-device', (one) => remove(one, ports, settings), ports);
};

export const reopenDevice = (act: Act, ports: Recorder) =>
  decide(act, (known) => reopen(known, act, ports.now()), ports);

export const setReprovisioningPolicy = (act: Act & { policy: ReprovisioningPolicy | 'default' }, ports: Recorder) =>
  decide(act, (known) => setReprovisioning(known, act, ports.now()), ports);

/** For the key of an attempt that ops saw, or for a key that ops knows. */
export const approveDeviceClaim = async (
  act: Act & ({ claimId: string } | { publicKeySha256: string }),
  ports: Recorder & { claims: { read(serialNumber: string, claimId: string): Promise<RefusedClaim | undefined> } },
) => {
  const seen =
    'claimId' in act
      ? keyOfClaim(await ports.claims.read(act.serialNumber, act.claimId), act.claimId)
      : act.publicKeySha256;
  return decide(
    act,
    (known) => (seen instanceof Failure ? seen : approveClaim(known, { ...act, publicKeySha256: seen }, ports.now())),
    ports,
  );
};
