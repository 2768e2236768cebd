import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { IAMClient } from '@aws-sdk/client-iam';
import * as iot from '@aws-sdk/client-iot';
import { KinesisVideoClient } from '@aws-sdk/client-kinesis-video';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { STSClient } from '@aws-sdk/client-sts';
import { afterAll, expect, inject, vi } from 'vitest';

/**
 * Where the conformance tests run: on the stand-in, or with CLOUD=aws on the account and the region that the AWS environment names. They need
 * an administrator there, cost next to nothing, touch only what they made, and take it back.
 */

const { CLOUD = 'local', AWS_REGION, AWS_DEFAULT_REGION } = process.env;
if (CLOUD !== 'local' && CLOUD !== 'aws') throw new Error(`CLOUD is ${CLOUD}; it can be local or aws`);

export const onAws = CLOUD === 'aws';
if (onAws) vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** Not there on an account. */
const outputs = inject('outputs');

/** Of every client. An account has its own endpoints and the caller's own credentials. */
export const settings = onAws
  ? { region: AWS_REGION ?? AWS_DEFAULT_REGION ?? 'us-east-1' }
  : { endpoint: outputs.aws, region: outputs.region, credentials: { ...outputs.personas.admin } };

export const cloud = {
  iot: new iot.IoTClient(settings),
  iam: new IAMClient(settings),
  sts: new STSClient(settings),
  kinesisVideo: new KinesisVideoClient(settings),
  lambda: new LambdaClient(settings),
  dynamoDb: new DynamoDBClient(settings),
};

/** Whatever a test makes is called so. */
export const PREFIX = 'firstlight-conformance-';

/** A name that nothing else has. */
export const unique = (what: string): string => `${PREFIX}${what}-${randomUUID().slice(0, 8)}`;

/** For `test.skipIf`: true on an account, where it says aloud what is not looked at. */
export function onlyOnTheStandIn(why: string): boolean {
  if (onAws) console.warn(`SKIPPED on AWS: ${why}`);
  return onAws;
}

/** An account takes its time until every corner of it knows. */
export const eventually = <T>(look: () => Promise<T>, { onAwsMs = 120_000 } = {}): Promise<T> =>
  vi.waitFor(look, { timeout: onAws ? onAwsMs : 10_000, interval: onAws ? 2000 : 50 });

/** The call must be refused; resolves with AWS's code for it and the status. */
export async function refusal(call: Promise<unknown>): Promise<{ code: string; status: number; message: string }> {
  const error = await call.then(
    () => expect.fail('it was not refused'),
    (reason) => reason,
  );
  if (error.$metadata === undefined) throw error;
  return { code: error.name, status: error.$metadata.httpStatusCode, message: error.message };
}

/** DetachPolicy: it can take five minutes until the policy can be deleted. */
const undoingMs = onAws ? 900_000 : 60_000;
const undoing: [what: string, step: () => Promise<unknown>][] = [];

/** Runs at the end of the file, last first. What is gone already is as good as undone; what is not to be undone is told and left. */
export function undo(what: string, step: () => Promise<unknown>): void {
  undoing.push([what, step]);
}

afterAll(async () => {
  for (const [what, step] of undoing.reverse()) {
    await step().catch((error) => {
      if (!/NotFound|NoSuchEntity/.test(error.name)) console.warn(`LEFT BEHIND: ${what}: ${error}`);
    });
  }
}, undoingMs);

interface Door {
  host: string;
  port: number;
}

/** The credential provider's door. */
export async function credentialDoor(): Promise<{ credentials: Door; caPath: string }> {
  return { credentials: await endpoint('iot:CredentialProvider', 443), caPath };
}

/** The message broker's. */
export async function mqttDoor(): Promise<{ mqtt: Door; caPath: string }> {
  return { mqtt: await endpoint('iot:Data-ATS', 8883), caPath };
}

async function endpoint(endpointType: string, usualPort: number): Promise<Door> {
  const { endpointAddress = '' } = await cloud.iot.send(new iot.DescribeEndpointCommand({ endpointType }));
  const [host = '', port = usualPort] = endpointAddress.split(':');
  return { host, port: Number(port) };
}

/** Who may sign for an account's doors: everybody that Node trusts. */
const caPath = onAws ? join(tmpdir(), `${PREFIX}roots-${process.pid}.pem`) : outputs.caPath;
if (onAws) writeFileSync(caPath, getCACertificates().join('\n'));

/**
 * A thing type for one test. It can only be deleted five minutes after its deprecation, so the next run on the same account
 * takes away what this one deprecates.
 */
export async function makeThingType(what: string): Promise<string> {
  const thingTypeName = unique(what);
  await cloud.iot.send(new iot.CreateThingTypeCommand({ thingTypeName }));
  undo(`thing type ${thingTypeName}`, () => cloud.iot.send(new iot.DeprecateThingTypeCommand({ thingTypeName })));
  return thingTypeName;
}

/** What earlier runs had to leave. */
export async function sweepThingTypes(): Promise<void> {
  const { thingTypes = [] } = await cloud.iot.send(new iot.ListThingTypesCommand({ maxResults: 250 }));
  const old = thingTypes.filter(
    ({ thingTypeName = '', thingTypeMetadata }) =>
      thingTypeName.startsWith(PREFIX) && Number(thingTypeMetadata?.deprecationDate) < Date.now() - 301_000,
  );
  for (const { thingTypeName } of old) await cloud.iot.send(new iot.DeleteThingTypeCommand({ thingTypeName }));
}
