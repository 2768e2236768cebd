import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type DeviceKey, type Held, makeDeviceKey } from './device-key.ts';
import { createHttpApi } from './http-api.ts';
import type { Outputs } from './local-run.ts';
import { type Answer, connectDevice, type MqttDevice } from './mqtt-device.ts';

/** What a device holds between its certificate and RegisterThing. */
export interface Pending extends Held {
  certificateId: string;
  ownershipToken: string;
  key: DeviceKey;
}

export interface Camera extends Held {
  serialNumber: string;
  certificateId: string;
  thingName: string;
  configuration: Record<'credentialEndpoint' | 'roleAlias' | 'streamName' | 'channels', string>;
}

/** The claim certificate that `npm start` hands out. */
export async function claimCertificate({ claim }: Outputs): Promise<Held> {
  const [certificatePem, privateKeyPem] = await Promise.all([
    readFile(claim.certificatePath, 'utf8'),
    readFile(claim.privateKeyPath, 'utf8'),
  ]);
  return { certificatePem, privateKeyPem };
}

/** A session at the claim door. Without `held`, with the claim certificate of the local run. */
export async function openClaim(
  outputs: Outputs,
  {
    held,
    clientId = `claim-${randomUUID()}`,
    protocolVersion = 5,
  }: { held?: Held; clientId?: string; protocolVersion?: 4 | 5 } = {},
): Promise<MqttDevice> {
  return connectDevice(outputs, { clientId, held: held ?? (await claimCertificate(outputs)), protocolVersion });
}

/** CreateCertificateFromCsr for a key of the device's own. */
export async function takeCertificate(device: MqttDevice, key?: DeviceKey): Promise<Pending> {
  const { certificateSigningRequest, ...own } = key ?? (await makeDeviceKey());
  const answer = await device.ask('$aws/certificates/create-from-csr/json', { certificateSigningRequest });
  if (answer.outcome !== 'accepted') throw new Error(`no certificate: ${answer.payload}`);
  const { certificateId, certificatePem, certificateOwnershipToken: ownershipToken } = answer.content;
  const { privateKeyPem } = own;
  return { certificateId, certificatePem, privateKeyPem, ownershipToken, key: { certificateSigningRequest, ...own } };
}

/** RegisterThing; `token` and `parameters` are sent as they are, and left out where undefined. */
export function registerThing(
  device: MqttDevice,
  templateName: string,
  certificateOwnershipToken: unknown,
  parameters?: unknown,
): Promise<Answer> {
  const topic = `$aws/provisioning-templates/${templateName}/provision/json`;
  return device.ask(topic, { certificateOwnershipToken, parameters });
}

export interface ManifestRow {
  serialNumber: string;
  streamMode?: 'thing-name' | 'certificate-id' | 'fixed';
  publicKeySha256?: string;
  claimToken?: string;
  batch?: string;
  channels?: string[];
  model?: string;
  reprovisioning?: 'refuse' | 'same-key' | 'replace-certificate' | 'approve';
}

/** Announces devices as a factory does. */
export async function announce(outputs: Outputs, ...devices: ManifestRow[]): Promise<void> {
  const { status, body } = await createHttpApi(outputs, outputs.personas.factory).post('/devices', { devices });
  const isMade = status === 200 && body.results.every(({ outcome }: { outcome: string }) => outcome === 'created');
  if (!isMade) throw new Error(`not announced: ${status} ${JSON.stringify(body)}`);
}

/** A whole claim, from announcement to configuration: the good case beside the bad ones. */
export async function claimCamera(outputs: Outputs, row: ManifestRow): Promise<Camera> {
  await announce(outputs, row);
  const device = await openClaim(outputs);
  try {
    const { ownershipToken, certificateId, certificatePem, privateKeyPem } = await takeCertificate(device);
    const { serialNumber, claimToken } = row;
    const parameters = { SerialNumber: serialNumber, ...(claimToken !== undefined && { ClaimToken: claimToken }) };
    const answer = await registerThing(device, outputs.claim.templateName, ownershipToken, parameters);
    if (answer.outcome !== 'accepted') throw new Error(`not registered: ${answer.payload}`);
    const { thingName, deviceConfiguration: configuration } = answer.content;
    return { serialNumber, certificateId, certificatePem, privateKeyPem, thingName, configuration };
  } finally {
    await device.close();
  }
}

/** RegisterThing at the renewal template, on a session of the camera's own certificate. */
export const renewThing = (device: MqttDevice, outputs: Outputs, token: unknown, parameters: object): Promise<Answer> =>
  registerThing(device, outputs.claim.renewTemplateName, token, parameters);

/** A serial number of this test alone: the local run is shared. */
export const newSerial = (): string => `T-${randomUUID().slice(0, 13)}`;
