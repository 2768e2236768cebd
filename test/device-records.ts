import { ListTargetsForPolicyCommand } from '@aws-sdk/client-iot';
import { expect } from 'vitest';
import { awsClients } from './aws-clients.ts';
import { createHttpApi } from './http-api.ts';
import type { Outputs } from './local-run.ts';
import { until } from './until.ts';

/** What the tests read of a device; the API answers more. */
export interface DeviceRecord {
  serialNumber: string;
  status: string;
  thingName: string;
  certificates: { id: string; state: string; publicKeySha256: string }[];
  streams: { name: string; state: string; channel?: string; until?: string }[];
  contested?: { reason: string; count: number };
  claimToken: string;
  dueAt?: string;
}

export interface ClaimRecord {
  at: string;
  outcome: 'granted' | 'refused';
  reason: string;
  certificateId: string;
  claimCertificateId?: string;
}

/** `signingDate`: where the stand-in's clock has been moved. */
export async function readDevice(
  outputs: Outputs,
  serialNumber: string,
  when: { signingDate?: Date } = {},
): Promise<DeviceRecord> {
  const operator = createHttpApi(outputs, outputs.personas.operator);
  const { status, body } = await operator.get(`/devices/${serialNumber}`, when);
  if (status !== 200) throw new Error(`${serialNumber}: ${status} ${JSON.stringify(body)}`);
  return body;
}

export async function readClaims(
  outputs: Outputs,
  serialNumber: string,
  when: { signingDate?: Date } = {},
): Promise<ClaimRecord[]> {
  const operator = createHttpApi(outputs, outputs.personas.operator);
  const claims: ClaimRecord[] = [];
  for (let cursor = ''; ; ) {
    const { status, body } = await operator.get(`/devices/${serialNumber}/claims${cursor}`, when);
    if (status !== 200) throw new Error(`${serialNumber}: ${status} ${JSON.stringify(body)}`);
    claims.push(...body.claims);
    if (body.nextCursor === undefined) return claims;
    cursor = `?cursor=${encodeURIComponent(body.nextCursor)}`;
  }
}

/** Proof of life comes as an event: the registry is asked until it knows. */
export function untilActive(
  outputs: Outputs,
  serialNumber: string,
  when: { signingDate?: Date } = {},
): Promise<DeviceRecord> {
  return until(`${serialNumber} to be active`, async () => {
    const device = await readDevice(outputs, serialNumber, when);
    return device.status === 'active' && device;
  });
}

export const idsOf = ({ certificates }: DeviceRecord, ...states: string[]): string[] =>
  certificates.filter(({ state }) => states.length === 0 || states.includes(state)).map(({ id }) => id);

/** The certificates that carry the device policy, by AWS's own list: nothing else gives a camera power. */
export async function powerfulCertificates(outputs: Outputs, clockOffsetMs = 0): Promise<string[]> {
  const { iot } = awsClients(outputs, outputs.personas.admin, clockOffsetMs);
  const policyName = outputs.claim.templateName.replace(/-claim$/, '-device');
  const targets: string[] = [];
  for (let marker: string | undefined; ; ) {
    const page = await iot.send(new ListTargetsForPolicyCommand({ policyName, marker, pageSize: 250 }));
    targets.push(...(page.targets ?? []));
    marker = page.nextMarker;
    if (marker === undefined) return targets.map((arn) => arn.slice(arn.lastIndexOf('/') + 1));
  }
}

/** Whatever became of these devices: no certificate has power that the registry does not list. */
export async function expectNoUnknownPower(
  outputs: Outputs,
  serialNumbers: string[],
  clockOffsetMs = 0,
): Promise<void> {
  const powerful = await powerfulCertificates(outputs, clockOffsetMs);
  const when = { signingDate: new Date(Date.now() + clockOffsetMs) };
  const devices = await Promise.all(serialNumbers.map((serialNumber) => readDevice(outputs, serialNumber, when)));
  const known = new Set(devices.flatMap((device) => idsOf(device)));
  expect(powerful.filter((id) => !known.has(id))).toEqual([]);
}
