import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { GetDataEndpointCommand } from '@aws-sdk/client-kinesis-video';
import { fetchCredentials } from '../../../camera/credentials.ts';
import { StepFailed } from '../../../camera/failure.ts';
import type { DeviceRecord } from '../../device-record.ts';
import { read } from '../api.ts';
import { openAws, unlessAbsent } from '../aws.ts';
import { broken, type Flaw, type Link, type Look, NotChecked, well } from '../link.ts';
import { byHand } from '../remedy.ts';
import { modeOf } from './modes.ts';
import { type DevicePatient, recorded } from './record.ts';

/** What a camera holds. The key goes into the handshake and nowhere else. */
export interface Held {
  certificatePem: string;
  privateKeyPem: string;
}

/** The way that the camera itself goes, with its own certificate: only AWS knows all that it checks there. */
export const exchangeLink = ({ certificatePem, privateKeyPem }: Held): Link<DevicePatient> => ({
  name: 'credential exchange',
  asks: "Does AWS give credentials for the camera's certificate, and do they open its stream?",
  async subjects(patient) {
    const device = await recorded(patient);
    const certificateId = new X509Certificate(certificatePem).fingerprint256.replaceAll(':', '').toLowerCase();
    return [
      { subject: certificateId, look: () => whose(certificateId, device, patient) },
      {
        subject: device.thingName,
        look: () => exchange({ certificatePem, privateKeyPem }, certificateId, device, patient),
      },
    ];
  },
});

async function whose(certificateId: string, device: DeviceRecord, { api, serialNumber }: DevicePatient): Promise<Look> {
  const certificate = device.certificates.find(({ id }) => id === certificateId);
  if (certificate && certificate.state !== 'leaving')
    return well(`on the record of ${serialNumber}, ${certificate.state}`);
  if (certificate) {
    return broken(
      `it is leaving since ${certificate.since}: the camera holds an old certificate`,
      byHand(`put the newer certificate on the camera, or firstlight device why ${serialNumber}`),
    );
  }
  const found = (await read(api, `/devices?certificateId=${certificateId}`)) as { devices: { serialNumber: string }[] };
  const [owner] = found.devices;
  return broken(
    owner ? `it is a certificate of ${owner.serialNumber}` : 'no device of the registry has it',
    byHand(owner ? `firstlight doctor ${owner.serialNumber}` : `firstlight device why ${serialNumber}`),
  );
}

async function exchange(
  { certificatePem, privateKeyPem }: Held,
  certificateId: string,
  { thingName, streamMode }: DeviceRecord,
  { stack, endpoint, ca }: DevicePatient,
): Promise<Look> {
  const { roleAlias, fixedStream } = await modeOf(stack, streamMode);
  const door = { endpoint: stack.outputs.CredentialEndpoint ?? '', roleAlias, thingName };
  const held = { certificatePem, privateKeyPem, caPem: ca ?? rootCertificates.join('\n') };
  const credentials = await fetchCredentials({ ...door, ...held }).catch(refused);
  if ('flaws' in credentials) return credentials;
  const StreamName = { 'thing-name': thingName, 'certificate-id': certificateId }[streamMode] ?? fixedStream;
  const settings = {
    region: stack.region,
    credentials: { ...credentials },
    ...(endpoint !== undefined && { endpoint }),
  };
  const aws = openAws(settings);
  try {
    const asked = aws.kinesisVideo.send(new GetDataEndpointCommand({ StreamName, APIName: 'PUT_MEDIA' }));
    const answer = await unlessAbsent(asked);
    if (answer) return well(`credentials of ${roleAlias}, and the way to ${StreamName}`);
    return broken(
      `it has credentials of ${roleAlias}, and there is no stream ${StreamName}`,
      byHand('see streams above'),
    );
  } catch (error) {
    if (!(error instanceof NotChecked)) throw error;
    const words = (error.cause as Error | undefined)?.message ?? error.message;
    return broken(
      `its credentials of ${roleAlias} do not open ${StreamName}: ${words}`,
      byHand('see thing, camera roles and denials above: its type and its name must be those that the role asks for'),
    );
  } finally {
    aws.close();
  }
}

/** AWS's refusal in the camera's words. What may pass is no finding. */
function refused(error: unknown): Look {
  if (!(error instanceof StepFailed)) throw error;
  if (error.remedy === 'again') throw new NotChecked(error.message, { cause: error });
  const flaw: Flaw = { says: error.message, remedy: byHand('mend what is broken above, then ask again') };
  return { flaws: [flaw] };
}
