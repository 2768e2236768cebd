import { readFile } from 'node:fs/promises';
import { CreateCertificateFromCsrCommand } from '@aws-sdk/client-iot';
import { awsClients } from './aws-clients.ts';
import { claimCertificate } from './camera-claim.ts';
import { certificateIdOf, type DeviceKey, makeDeviceKey } from './device-key.ts';
import type { Outputs } from './local-run.ts';

export interface IssuedCertificate {
  certificateId: string;
  certificatePem: string;
}

/** A certificate as a device holds it when it asks the hook: issued, and without any power. */
export async function issueCertificate(outputs: Outputs, key?: DeviceKey): Promise<IssuedCertificate> {
  const { iot } = awsClients(outputs, outputs.personas.admin);
  const { certificateSigningRequest } = key ?? (await makeDeviceKey());
  const answer = await iot.send(new CreateCertificateFromCsrCommand({ certificateSigningRequest }));
  return { certificateId: answer.certificateId ?? '', certificatePem: answer.certificatePem ?? '' };
}

/** What AWS tells the renewal hook when a camera asks with `asking` for the certificate after it. */
export async function renewalEvent(
  asking: { certificateId: string; thingName: string },
  certificate: IssuedCertificate,
  parameters: Record<string, unknown>,
  more: { clientId?: string } = {},
): Promise<object> {
  const recorded = JSON.parse(await readFile('events/renewal-hook.json', 'utf8'));
  const claimCertificateId = asking.certificateId;
  return { ...recorded, claimCertificateId, clientId: asking.thingName, ...certificate, parameters, ...more };
}

/** The recorded event, for another device, certificate and, unless said otherwise, the local run's claim certificate. */
export async function hookEvent(
  outputs: Outputs,
  certificate: IssuedCertificate,
  parameters: Record<string, unknown>,
  more: { claimCertificateId?: string } = {},
): Promise<object> {
  const recorded = JSON.parse(await readFile('events/provisioning-hook.json', 'utf8'));
  const claimCertificateId = certificateIdOf((await claimCertificate(outputs)).certificatePem);
  return { ...recorded, claimCertificateId, ...certificate, parameters, ...more };
}
