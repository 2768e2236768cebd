import { DeleteItemCommand, GetItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { GetRolePolicyCommand, ListRolesCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateKeysAndCertificateCommand,
  CreateThingCommand,
  DeleteThingCommand,
  DescribeCertificateCommand,
  DescribeThingCommand,
  DetachPolicyCommand,
  DetachThingPrincipalCommand,
  ListAttachedPoliciesCommand,
  ListPrincipalThingsCommand,
} from '@aws-sdk/client-iot';
import { afterAll } from 'vitest';
import { tellStandIn } from './admin.ts';
import { awsClients } from './aws-clients.ts';
import { type Camera, claimCamera, type ManifestRow, newSerial } from './camera-claim.ts';
import { untilActive } from './device-records.ts';
import { type ApiAnswer, createHttpApi } from './http-api.ts';
import { startLocalRun } from './local-run.ts';
import { connectDevice } from './mqtt-device.ts';
import { liftReconcilesPace } from './reconcile-function.ts';
import { switchOffSchedules } from './schedules.ts';
import { until } from './until.ts';

const PREFIX = 'firstlight-local-';

/** A local run of this file's own in which nothing mends by itself, and the hands of whoever makes it drift. */
export async function startDriftWorld() {
  const run = await startLocalRun();
  afterAll(() => run.stop());
  const { outputs } = run;
  await switchOffSchedules(outputs);
  await liftReconcilesPace(outputs);
  const policyName = `${PREFIX}device`;
  let ahead = 0;
  let aws = awsClients(outputs, outputs.personas.admin);
  const arnOf = (certificateId: string) => `arn:aws:iot:${outputs.region}:${outputs.accountId}:cert/${certificateId}`;
  const when = () => ({ signingDate: new Date(Date.now() + ahead) });
  const operator = createHttpApi(outputs, outputs.personas.operator);

  return {
    run,
    outputs,
    policyName,
    arnOf,
    when,
    aws: () => aws,
    ahead: () => ahead,

    async advance(hours: number): Promise<void> {
      await tellStandIn(outputs.aws, 'clock', { advanceSeconds: hours * 3600 });
      ahead += hours * 3_600_000;
      aws = awsClients(outputs, outputs.personas.admin, ahead);
    },

    /** A camera that has shown life. Only while the clocks still agree. */
    async living(row: Partial<ManifestRow> = {}): Promise<Camera> {
      const camera = await claimCamera(outputs, { serialNumber: newSerial(), ...row });
      const session = await connectDevice(outputs, { clientId: camera.thingName, held: camera });
      await untilActive(outputs, camera.serialNumber);
      await session.close();
      return camera;
    },

    async announced(): Promise<string> {
      const serialNumber = newSerial();
      const { status, body } = await operator.post('/devices', { devices: [{ serialNumber }] }, when());
      if (status !== 200) throw new Error(`not announced: ${status} ${JSON.stringify(body)}`);
      const Key = { kind: { S: `device#${serialNumber}` }, name: { S: '-' } };
      await until(`${serialNumber} to be counted`, async () => {
        const counted = new GetItemCommand({ TableName: `${PREFIX}counters`, Key });
        return (await aws.dynamoDb.send(counted)).Item;
      });
      return serialNumber;
    },

    async device(serialNumber: string): Promise<ApiAnswer['body']> {
      return (await operator.get(`/devices/${serialNumber}`, when())).body;
    },

    async act(serialNumber: string, verb: string, body: object = {}): Promise<void> {
      const { status, body: answer } = await operator.post(`/devices/${serialNumber}/${verb}`, body, when());
      if (status !== 200) throw new Error(`${verb}: ${status} ${JSON.stringify(answer)}`);
    },

    /** A certificate that no record knows. */
    async certificate({ thingName }: { thingName?: string } = {}): Promise<string> {
      const { certificateId = '', certificateArn } = await aws.iot.send(
        new CreateKeysAndCertificateCommand({ setAsActive: true }),
      );
      if (thingName) await aws.iot.send(new AttachThingPrincipalCommand({ thingName, principal: certificateArn }));
      await aws.iot.send(new AttachPolicyCommand({ policyName, target: certificateArn }));
      return certificateId;
    },

    thing: (thingName: string, serialNumber = thingName) =>
      aws.iot.send(
        new CreateThingCommand({
          thingName,
          thingTypeName: `${PREFIX}thing-name`,
          attributePayload: { attributes: { serialNumber, batch: '-' } },
        }),
      ),

    givePolicy: (certificateId: string) =>
      aws.iot.send(new AttachPolicyCommand({ policyName, target: arnOf(certificateId) })),

    detachPolicy: ({ certificateId }: Camera) =>
      aws.iot.send(new DetachPolicyCommand({ policyName, target: arnOf(certificateId) })),

    detachThing: ({ certificateId, thingName }: Camera) =>
      aws.iot.send(new DetachThingPrincipalCommand({ thingName, principal: arnOf(certificateId) })),

    deleteThing: ({ thingName }: Camera) => aws.iot.send(new DeleteThingCommand({ thingName })),

    /** What a certificate has at AWS; `undefined` if it is gone. */
    async power(certificateId: string) {
      try {
        const { certificateDescription } = await aws.iot.send(new DescribeCertificateCommand({ certificateId }));
        const target = arnOf(certificateId);
        const { policies = [] } = await aws.iot.send(new ListAttachedPoliciesCommand({ target }));
        const { things } = await aws.iot.send(new ListPrincipalThingsCommand({ principal: target }));
        return {
          status: certificateDescription?.status,
          policies: policies.map((one) => one.policyName),
          things,
        };
      } catch (error) {
        if ((error as Error).name === 'ResourceNotFoundException') return undefined;
        throw error;
      }
    },

    async thingAt(thingName: string) {
      try {
        const { thingTypeName, attributes } = await aws.iot.send(new DescribeThingCommand({ thingName }));
        return { thingTypeName, attributes };
      } catch (error) {
        if ((error as Error).name === 'ResourceNotFoundException') return undefined;
        throw error;
      }
    },

    /** Writes into a record past every rule. */
    async tamper(serialNumber: string, UpdateExpression: string, values?: Record<string, object>): Promise<void> {
      await aws.dynamoDb.send(
        new UpdateItemCommand({
          TableName: `${PREFIX}devices`,
          Key: { serialNumber: { S: serialNumber } },
          UpdateExpression,
          // DynamoDB has reserved this word.
          ...(UpdateExpression.includes('#shard') && { ExpressionAttributeNames: { '#shard': 'shard' } }),
          ...(values && { ExpressionAttributeValues: values as never }),
        }),
      );
    },

    denials: {
      put: (certificateId: string, until: string) =>
        aws.dynamoDb.send(
          new PutItemCommand({
            TableName: `${PREFIX}denials`,
            Item: { certificateId: { S: certificateId }, until: { S: until } },
          }),
        ),
      remove: (certificateId: string) =>
        aws.dynamoDb.send(
          new DeleteItemCommand({ TableName: `${PREFIX}denials`, Key: { certificateId: { S: certificateId } } }),
        ),
    },

    /** What the camera roles deny, by role; `write` puts something else there by hand. */
    async roles() {
      const { Roles = [] } = await aws.iam.send(new ListRolesCommand({}));
      const names = Roles.flatMap(({ RoleName = '' }) => (RoleName.includes('CameraRole') ? [RoleName] : []));
      const PolicyName = 'denied-certificates';
      return {
        read: () =>
          Promise.all(
            names.map(async (RoleName) => {
              const asked = aws.iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
              const found = await asked.catch((error) => {
                // Nobody has ever been denied.
                if (error.name === 'NoSuchEntityException') return undefined;
                throw error;
              });
              if (!found) return [];
              const { PolicyDocument } = found;
              const [statement] = JSON.parse(decodeURIComponent(PolicyDocument ?? '')).Statement;
              return statement.Condition.StringLike['aws:userid'] as string[];
            }),
          ),
        write: (users: string[]) =>
          aws.iam.send(
            new PutRolePolicyCommand({
              RoleName: names[0],
              PolicyName,
              PolicyDocument: JSON.stringify({
                Version: '2012-10-17',
                Statement: [
                  {
                    Effect: 'Deny',
                    Action: '*',
                    Resource: '*',
                    Condition: { StringLike: { 'aws:userid': users } },
                  },
                ],
              }),
            }),
          ),
      };
    },
  };
}

export type DriftWorld = Awaited<ReturnType<typeof startDriftWorld>>;
