import { type Device, shown } from '../domain/device.ts';
import { Failure } from '../domain/failure.ts';

export interface DeviceReader {
  read(serialNumber: string): Promise<Device | undefined>;
}

/** What became of a device, as the API shows it. */
export const shownDevice = (device: Device) => shown(device);

export const showDevice = async (serialNumber: string, registry: DeviceReader) => {
  const device = await registry.read(serialNumber);
  if (!device) throw new Failure('device-not-found', `no device ${serialNumber} was announced`);
  return shown(device);
};
