import { readFile } from 'node:fs/promises';
import { CreateStreamCommand } from '@aws-sdk/client-kinesis-video';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { awsClients } from '../aws-clients.ts';
import {
  announce,
  type Camera,
  claimCamera,
  claimCertificate,
  type ManifestRow,
  newSerial,
  openClaim,
  registerThing,
  takeCertificate,
} from '../camera-claim.ts';
import { certificateIdOf, type DeviceKey, type Held, makeDeviceKey } from '../device-key.ts';
import { atRun, firstlight } from '../firstlight.ts';
import { createHttpApi } from '../http-api.ts';
import { claimOverHttps, newToken, sayConnected } from '../https-camera.ts';
import { type LocalRun, type Outputs, startLocalRun } from '../local-run.ts';

/** Each refusal is brought about over the wire, as its camera would; then an operator asks why. */

// Acts of operators write the camera roles, so this has a stand-in of its own.
let run: LocalRun;
let outputs: Outputs;
let operator: ReturnType<typeof createHttpApi>;
/** What docs/errors.md says of each reason. */
let documented: Map<string, { means: string; remedy: string }>;

beforeAll(async () => {
  run = await startLocalRun();
  ({ outputs } = run);
  operator = createHttpApi(outputs, outputs.personas.operator);
  const rows = (await readFile('docs/errors.md', 'utf8')).matchAll(/^\| `([a-z-]+)` \| ([^|]+) \| ([^|]+) \|$/gm);
  documented = new Map([...rows].map(([, reason = '', means = '', remedy = '']) => [reason, { means, remedy }]));
});
afterAll(() => run.stop());

const why = (serialNumber: string, ...flags: string[]) =>
  firstlight(['device', 'why', serialNumber, ...atRun(outputs), ...flags]);

async function announced(row: Omit<ManifestRow, 'serialNumber'> = {}): Promise<string> {
  const serialNumber = newSerial();
  await announce(outputs, { serialNumber, ...row });
  return serialNumber;
}

async function claimed(row: Omit<ManifestRow, 'serialNumber'> = {}): Promise<Camera> {
  return claimCamera(outputs, { serialNumber: newSerial(), ...row });
}

async function living(row: Omit<ManifestRow, 'serialNumber'> = {}): Promise<string> {
  const camera = await claimed(row);
  expect((await sayConnected(outputs, camera)).status).toBe(204);
  return camera.serialNumber;
}

/** A camera with a key of its own asks for this serial number over MQTT, and is refused. */
async function knocks(
  key: DeviceKey,
  serialNumber: string,
  { held, ...parameters }: { held?: Held } & Record<string, unknown> = {},
): Promise<void> {
  const device = await openClaim(outputs, held ? { held } : {});
  try {
    const { ownershipToken } = await takeCertificate(device, key);
    const sent = { SerialNumber: serialNumber, ...parameters };
    expect((await registerThing(device, outputs.claim.templateName, ownershipToken, sent)).outcome).toBe('rejected');
  } finally {
    await device.close();
  }
}

const posts = async ({ certificateSigningRequest }: DeviceKey, serialNumber: string, claimToken?: string) => {
  const claim = { serialNumber, certificateSigningRequest, ...(claimToken !== undefined && { claimToken }) };
  expect((await claimOverHttps(outputs, claim)).status).toBe(403);
};

async function newClaimCertificate(order: object): Promise<Held & { certificateId: string }> {
  const { status, body } = await operator.post('/claim-certificates', order);
  expect(status).toBe(201);
  return { certificatePem: body.certificatePem, privateKeyPem: body.privateKey, certificateId: body.certificateId };
}

const act = async (serialNumber: string, verb: string) =>
  expect((await operator.post(`/devices/${serialNumber}/${verb}`, {})).status).toBe(200);

/** What brings each refusal about; it gives back the serial number that is asked for. */
const REFUSALS: [reason: string, door: 'mqtt' | 'https', knock: (key: DeviceKey) => Promise<string>][] = [
  [
    'unknown-serial',
    'mqtt',
    async (key) => {
      const serialNumber = newSerial();
      await knocks(key, serialNumber);
      return serialNumber;
    },
  ],
  [
    'parameter-not-allowed',
    'mqtt',
    async (key) => {
      const serialNumber = await announced();
      await knocks(key, serialNumber, { RoleAlias: 'another' });
      return serialNumber;
    },
  ],
  [
    'key-mismatch',
    'mqtt',
    async (key) => {
      const serialNumber = await announced({ publicKeySha256: (await makeDeviceKey()).publicKeySha256 });
      await knocks(key, serialNumber);
      return serialNumber;
    },
  ],
  [
    'wrong-claim-certificate',
    'mqtt',
    async (key) => {
      const serialNumber = await announced({ batch: 'one' });
      await knocks(key, serialNumber, { held: await newClaimCertificate({ batch: 'other' }) });
      return serialNumber;
    },
  ],
  [
    'outside-claim-window',
    'mqtt',
    async (key) => {
      const serialNumber = await announced();
      await knocks(key, serialNumber, {
        held: await newClaimCertificate({ claimWindow: { from: '2049-01-01T00:00:00Z' } }),
      });
      return serialNumber;
    },
  ],
  [
    'token-missing',
    'mqtt',
    async (key) => {
      const serialNumber = await announced({ claimToken: newToken() });
      await knocks(key, serialNumber);
      return serialNumber;
    },
  ],
  [
    'token-invalid',
    'https',
    async (key) => {
      const serialNumber = await announced({ claimToken: newToken() });
      await posts(key, serialNumber, newToken());
      return serialNumber;
    },
  ],
  [
    'token-spent',
    'mqtt',
    async (key) => {
      const claimToken = newToken();
      const serialNumber = await living({ claimToken });
      await knocks(key, serialNumber, { ClaimToken: claimToken });
      return serialNumber;
    },
  ],
  [
    'claim-certificate-unknown',
    'https',
    async (key) => {
      const serialNumber = await announced();
      await posts(key, serialNumber);
      return serialNumber;
    },
  ],
  [
    'claim-certificate-disabled',
    'mqtt',
    async (key) => {
      const serialNumber = await announced();
      const held = await newClaimCertificate({});
      // In the registry alone: once AWS knows it as well, nobody gets so far as to be refused.
      const faults = [{ service: 'iot', operation: 'UpdateCertificate', kind: 'error' }];
      await tellStandIn(outputs.aws, 'faults', { faults });
      expect((await operator.post(`/claim-certificates/${held.certificateId}/disable`, {})).status).toBe(500);
      await tellStandIn(outputs.aws, 'faults');
      await knocks(key, serialNumber, { held });
      return serialNumber;
    },
  ],
  [
    'already-claimed',
    'mqtt',
    async (key) => {
      const { serialNumber } = await claimed();
      await knocks(key, serialNumber);
      return serialNumber;
    },
  ],
  [
    'approval-needed',
    'mqtt',
    async (key) => {
      const serialNumber = await living();
      await knocks(key, serialNumber);
      return serialNumber;
    },
  ],
  [
    'suspended',
    'https',
    async (key) => {
      const serialNumber = await announced({ publicKeySha256: key.publicKeySha256 });
      await act(serialNumber, 'suspend');
      await posts(key, serialNumber);
      return serialNumber;
    },
  ],
  [
    'retired',
    'mqtt',
    async (key) => {
      const serialNumber = await announced();
      await act(serialNumber, 'retire');
      await knocks(key, serialNumber);
      return serialNumber;
    },
  ],
  [
    'stream-taken',
    'mqtt',
    async (key) => {
      const serialNumber = await announced();
      const { kinesisVideo } = awsClients(outputs, outputs.personas.admin);
      await kinesisVideo.send(new CreateStreamCommand({ StreamName: serialNumber }));
      await knocks(key, serialNumber);
      return serialNumber;
    },
  ],
];

describe('device why', () => {
  test.each(REFUSALS)(
    '%s (%s): when, through which door, with which key, in words, and what to do',
    async (reason, door, knock) => {
      const key = await makeDeviceKey();
      const before = Date.now();
      const serialNumber = await knock(key);
      const { code, json } = await why(serialNumber, '--json');
      expect(code).toBe(0);
      const [newest] = json().claims;
      const { means, remedy } = documented.get(reason) ?? { means: '?', remedy: '?' };
      expect(newest).toMatchObject({ outcome: 'refused', reason, door, means, remedy });
      expect(newest.publicKeySha256).toBe(key.publicKeySha256);
      expect(Date.parse(newest.at)).toBeGreaterThanOrEqual(before - 1);
      if (door === 'mqtt') {
        expect(newest.certificateId).toMatch(/^[0-9a-f]{64}$/);
        expect(newest.claimCertificateId).toMatch(/^[0-9a-f]{64}$/);
        expect(newest.clientId).toMatch(/^claim-/);
      }

      const { stdout } = await why(serialNumber);
      expect(stdout).toContain(`refused over ${door.toUpperCase()}: ${reason}\n  ${means}\n  To do: ${remedy}\n`);
      for (const said of [key.publicKeySha256, newest.certificateId, newest.claimCertificateId, newest.claimId]) {
        if (said !== undefined) expect(stdout).toContain(said);
      }
    },
  );

  test('tells the state of the device as well: who suspended it, and that it is contested', async () => {
    const serialNumber = await living();
    await knocks(await makeDeviceKey(), serialNumber);
    await operator.post(`/devices/${serialNumber}/suspend`, { reason: 'a second camera' });
    await knocks(await makeDeviceKey(), serialNumber);
    const { stdout } = await why(serialNumber);
    expect(stdout).toMatch(
      new RegExp(
        `^${serialNumber} is suspended since \\S+ \\S+ by arn:aws:iam::\\d+:user/operator: a second camera\\.$`,
        'm',
      ),
    );
    expect(stdout).toMatch(/^ {2}contested: one sign that somebody else uses its serial number, .*: approval-needed$/m);
    expect(stdout).toMatch(/^ {2}credentials issued to 1 of its certificates are denied until /m);
    expect([...stdout.matchAll(/^\S+ \S+ {2}(\S+ over MQTT: \S+)$/gm)].map(([, what]) => what)).toEqual([
      'refused over MQTT: suspended',
      'refused over MQTT: approval-needed',
      'granted over MQTT: allow-list',
    ]);
    const { certificatePem } = await claimCertificate(outputs);
    expect(stdout).toContain(`claim certificate  ${certificateIdOf(certificatePem)}`);
  });

  test('of a serial number that nobody announced, and nobody asked for', async () => {
    const serialNumber = newSerial();
    expect(await why(serialNumber)).toMatchObject({
      code: 0,
      stdout: `Nobody has announced ${serialNumber}. Nobody has tried to claim it.\n`,
    });
    expect((await why(serialNumber, '--json')).json()).toEqual({ serialNumber, claims: [], complete: true });
    expect(await why('not a serial')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('/serialNumber must be'),
    });
  });

  test('counts what is beyond the bound, and the newest so many are shown', { timeout: 60_000 }, async () => {
    const key = await makeDeviceKey();
    const serialNumber = await announced({ publicKeySha256: (await makeDeviceKey()).publicKeySha256 });
    const attempts = 23;
    for (let n = 0; n < attempts; n++) await posts(key, serialNumber);
    const { claims, notKept = [], complete } = (await why(serialNumber, '--json')).json();
    expect(complete).toBe(true);
    const counted = notKept.reduce((sum: number, { refused }: { refused: number }) => sum + refused, 0);
    // Twenty an hour are kept; an hour may have ended in between.
    expect(claims.length + counted).toBe(attempts);
    const few = await why(serialNumber, '--limit', '2');
    expect(few.stdout.match(/refused over HTTPS/g)).toHaveLength(2);
    expect(few.stderr).toBe('\nThese are the newest 2 (--limit).\n');
  });

  test('is for operators and auditors', async () => {
    expect((await why(newSerial(), '--as', 'auditor')).code).toBe(0);
    expect(await why(newSerial(), '--as', 'factory')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('403'),
    });
  });
});
