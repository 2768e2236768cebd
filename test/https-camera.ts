import { randomBytes } from 'node:crypto';
import { announce, type Camera, type ManifestRow, newSerial } from './camera-claim.ts';
import { askForCredentials } from './credential-provider.ts';
import { type DeviceKey, makeDeviceKey } from './device-key.ts';
import { type ApiAnswer, createHttpApi } from './http-api.ts';
import type { Outputs } from './local-run.ts';

/** `POST /claims` as a camera sends it: unsigned, and tried no second time. */
export function claimOverHttps(
  outputs: Outputs,
  {
    serialNumber,
    certificateSigningRequest,
    claimToken,
  }: { serialNumber: string; certificateSigningRequest: string; claimToken?: string },
): Promise<ApiAnswer> {
  return createHttpApi(outputs).post('/claims', { serialNumber, certificateSigningRequest, claimToken });
}

/** A token that nobody has. */
export const newToken = (): string => randomBytes(16).toString('hex');

/** A device that its factory has announced, and the key that its camera will bring. */
export async function announceWithKey(
  outputs: Outputs,
  { pinned = false, ...row }: Omit<ManifestRow, 'serialNumber'> & { pinned?: boolean } = {},
): Promise<DeviceKey & { serialNumber: string }> {
  const serialNumber = newSerial();
  const key = await makeDeviceKey();
  await announce(outputs, { serialNumber, ...row, ...(pinned && { publicKeySha256: key.publicKeySha256 }) });
  return { serialNumber, ...key };
}

/** What a 201 of the two doors that make a device says, as the camera keeps it. */
export function cameraOf({ status, body }: ApiAnswer, privateKeyPem: string = body.privateKey): Camera {
  if (status !== 201) throw new Error(`no connection: ${status} ${JSON.stringify(body)}`);
  const { serialNumber, certificateId, certificatePem, thingName, connection: configuration } = body;
  return { serialNumber, certificateId, certificatePem, privateKeyPem, thingName, configuration };
}

/** `POST /connected`, signed with the first credentials that the camera's certificate opens. */
export async function sayConnected(
  outputs: Outputs,
  { thingName, serialNumber, configuration, ...held }: Camera,
  about = serialNumber,
): Promise<ApiAnswer> {
  const { roleAlias } = configuration;
  const { status, body } = await askForCredentials(outputs, { held, roleAlias, thingName });
  if (status !== 200) throw new Error(`no credentials: ${status} ${JSON.stringify(body)}`);
  return createHttpApi(outputs, body.credentials).post('/connected', { serialNumber: about });
}
