import type { Command } from 'commander';
import type { Api } from './api.ts';
import { type ApiFlags, ask, connect, withApi } from './connect.ts';
import { type DeviceRecord, pathOf, remarks, standing } from './device-record.ts';
import { CommandFailed, orOneLine } from './failure.ts';
import { whole } from './flag-values.ts';
import { count, printJson, second } from './table.ts';

interface WhyFlags extends ApiFlags {
  limit: number;
  json?: true;
}

interface Claim {
  claimId: string;
  at: string;
  door: keyof typeof DOORS;
  outcome: 'granted' | 'refused';
  reason: string;
  means: string;
  remedy?: string;
  certificateId?: string;
  publicKeySha256?: string;
  claimCertificateId?: string;
  clientId?: string;
  sent?: string;
}

interface Claims {
  claims: Claim[];
  /** There are older ones beyond the limit. */
  complete: boolean;
  /** Refusals that were only counted, by day or hour. */
  notKept?: { during: string; refused: number }[];
}

export function register(device: Command): void {
  withApi(device.command('why'), 'operator')
    .description(
      'Every attempt to be this camera, and why it was let in or refused. Also for serial numbers nobody announced.',
    )
    .argument('<SERIAL>', 'serial number')
    .option('--limit <n>', 'the newest so many attempts', whole, 100)
    .option('--json', 'print JSON: {serialNumber, device?, claims, complete, notKept?}')
    .addHelpText(
      'after',
      `
The newest attempt comes first. approve takes a claim by its id, which --json and the listing tell.
Exit code: 0 answered, also where there is nothing to tell; 2 it could not be asked.

Examples:
  firstlight device why CAM-0001
  firstlight device why CAM-0001 --json | jq -r '.claims[] | select(.outcome == "refused") | .reason'`,
    )
    .action((serial: string, flags: WhyFlags) => orOneLine(() => why(serial, flags)));
}

async function why(serialNumber: string, { limit, json, ...flags }: WhyFlags): Promise<void> {
  const { api } = await connect(flags, 'operator');
  const [device, attempts] = await Promise.all([found(api, serialNumber), claimsOf(api, serialNumber, limit)]);
  if (json) return printJson({ serialNumber, ...(device && { device }), ...attempts });
  const { claims, complete, notKept = [] } = attempts;
  console.log(
    device
      ? [`${standing(device)}.`, ...remarks(device)].join('\n  ')
      : `Nobody has announced ${serialNumber}.${claims.length === 0 ? ' Nobody has tried to claim it.' : ''}`,
  );
  if (device && claims.length === 0) console.log('\nNobody has tried to claim it.');
  for (const claim of claims) console.log(`\n${told(claim)}`);
  for (const { during, refused } of notKept) {
    console.log(`\nAnd ${count(refused)} more refused in ${during}, which were only counted.`);
  }
  if (!complete) console.error(`\nThese are the newest ${count(claims.length)} (--limit).`);
}

/** `undefined` where nobody announced it: that is no failure here. */
async function found(api: Api, serialNumber: string): Promise<DeviceRecord | undefined> {
  try {
    return await ask<DeviceRecord>(() => api.get(pathOf(serialNumber)));
  } catch (error) {
    if (error instanceof CommandFailed && error.code === 'device-not-found') return undefined;
    throw error;
  }
}

async function claimsOf(api: Api, serialNumber: string, limit: number): Promise<Claims> {
  const claims: Claim[] = [];
  for (let cursor: string | undefined; ; ) {
    const query = new URLSearchParams({ limit: String(Math.min(1000, limit - claims.length)) });
    if (cursor !== undefined) query.set('cursor', cursor);
    const path = `${pathOf(serialNumber, 'claims')}?${query}`;
    const { claims: page, nextCursor, ...rest } = await ask<Claims & { nextCursor?: string }>(() => api.get(path));
    claims.push(...page);
    cursor = nextCursor;
    if (cursor === undefined) return { ...rest, claims, complete: true };
    if (claims.length >= limit) return { ...rest, claims, complete: false };
  }
}

const DOORS = { mqtt: 'over MQTT', https: 'over HTTPS', line: 'on the line', renewal: 'as a renewal' } as const;

function told(claim: Claim): string {
  const { at, outcome, door, reason, means, remedy, claimId } = claim;
  const particulars: [string, string | undefined][] = [
    ['key', claim.publicKeySha256],
    ['certificate', claim.certificateId],
    ['claim certificate', claim.claimCertificateId],
    ['client id', claim.clientId],
    ['sent', claim.sent],
    ['claim id', outcome === 'refused' ? claimId : undefined],
  ];
  return [
    `${second(at)}  ${outcome} ${DOORS[door]}: ${reason}`,
    `  ${means}`,
    ...(remedy ? [`  To do: ${remedy}`] : []),
    ...particulars.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(18)} ${value}`])),
  ].join('\n');
}
