import { type Device, isLiving } from '../domain/device.ts';
import { Failure } from '../domain/failure.ts';
import { finishStreams, pendingStreams, type SignOfLife, showLife } from '../domain/life.ts';

export interface ConnectPorts {
  registry: {
    read(serialNumber: string): Promise<Device | undefined>;
    readPlace(thingName: string): Promise<Device | undefined>;
    save(before: Device, after: Device): Promise<boolean>;
    contest(serialNumber: string, reason: string, at: string): Promise<void>;
  };
  streams: {
    make(name: string, serialNumber: string): Promise<'made' | 'exists' | 'late' | 'limit'>;
    isOurs(name: string, serialNumber: string): Promise<boolean>;
  };
  /** Who cuts off a certificate that shows life though its device is suspended or retired. */
  intruders: {
    deactivate(certificateId: string): Promise<void>;
    drop(clientId: string): Promise<void>;
  };
  now(): Date;
}

/** A rival write is another sign of life or a claim: after so many in a row something else is wrong. */
const mostTries = 4;

/**
 * Takes a sign of life: the certificate becomes current, the device active, the token spent, its late streams and its
 * channels are made. The name only says where to look; what counts is the certificate.
 *
 * @throws Failure if the sign proves nothing (log and drop it); anything else is an outage, and the sign is worth a retry.
 */
export const connect = async (
  name: string,
  sign: SignOfLife,
  ports: ConnectPorts,
  by = 'function:on-presence',
): Promise<Device> => {
  const { registry, now } = ports;
  for (let attempt = 0; attempt < mostTries; attempt++) {
    const device = await find(name, sign.certificateId, registry);
    if (!device) throw new Failure('device-not-found', 'no device fills this place');
    const alive = showLife(device, sign, now());
    if (alive instanceof Failure) {
      if (alive.code === 'certificate-superseded') {
        await registry.contest(device.serialNumber, alive.code, now().toISOString());
      }
      if (!isLiving(device)) await cutOff(device, sign.certificateId, ports);
      throw alive;
    }
    if (alive !== device && !(await registry.save(device, alive))) continue;
    const finished = await finish(alive, ports, by);
    if (finished === alive || (await registry.save(alive, finished))) return finished;
  }
  throw new Error('the device was written by others each time');
};

/** RegisterThing may end after the device was suspended, and makes its certificate active. Only what is the device's is touched. */
const cutOff = async ({ certificates, thingName }: Device, certificateId: string, { intruders }: ConnectPorts) => {
  if (!certificates.some(({ id }) => id === certificateId)) return;
  await intruders.deactivate(certificateId);
  await intruders.drop(thingName);
};

/** By serial number first: a place has another name only after `replace` or `reopen`. */
const find = async (name: string, certificateId: string, registry: ConnectPorts['registry']) => {
  const device = await registry.read(name);
  if (device?.certificates.some(({ id }) => id === certificateId)) return device;
  // Hardware that was replaced still knows its place by its own name.
  const fills = device?.thingName === name && device.replacedBy === undefined;
  return fills ? device : registry.readPlace(name);
};

const finish = async (device: Device, { streams, now }: ConnectPorts, by: string): Promise<Device> => {
  const outcomes = new Map<string, 'made' | 'taken'>();
  for (const { name } of device.status === 'active' ? pendingStreams(device) : []) {
    const outcome = await streams.make(name, device.serialNumber);
    if (outcome === 'made') outcomes.set(name, 'made');
    if (outcome === 'exists') outcomes.set(name, (await streams.isOurs(name, device.serialNumber)) ? 'made' : 'taken');
    // `late` and `limit`: it stays pending and due.
  }
  return outcomes.size === 0 ? device : finishStreams(device, outcomes, by, now());
};
