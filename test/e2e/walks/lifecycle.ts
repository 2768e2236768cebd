import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { UpdateCertificateCommand } from '@aws-sdk/client-iot';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { tellStandIn } from '../../admin.ts';
import { awsClients } from '../../aws-clients.ts';
import { announce, type Camera, newSerial } from '../../camera-claim.ts';
import { type ApiAnswer, createHttpApi } from '../../http-api.ts';
import type { Outputs } from '../../local-run.ts';
import type { ClaimDoor, Mode, Walk } from './claim.ts';
import { expectStatus } from './line.ts';

const PAST = '2020-01-01T00:00:00.000Z';

/** What ops does to one device, and who ends it where it stopped. */
export function lifecycleWalks(outputs: Outputs, prefix: string, { claims, expectedSerial }: ClaimDoor) {
  const { aws, personas } = outputs;
  const { iot, lambda, dynamoDb } = awsClients(outputs, personas.admin);
  const operator = createHttpApi(outputs, personas.operator);

  const claimed = async (streamMode: Mode): Promise<Camera> => claims(await expectedSerial({ streamMode }));
  const act = (serialNumber: string, verb: string, body: object = {}, status = 200) =>
    expectStatus(operator.post(`/devices/${serialNumber}/${verb}`, body), status);

  async function announced(): Promise<string> {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber, streamMode: 'fixed' });
    return serialNumber;
  }

  async function invoke(name: string, event: object): Promise<ApiAnswer['body']> {
    const Payload = Buffer.from(JSON.stringify(event));
    const answer = await lambda.send(new InvokeCommand({ FunctionName: `${prefix}${name}`, Payload }));
    const text = Buffer.from(answer.Payload ?? []).toString();
    if (answer.FunctionError) throw new Error(text);
    return JSON.parse(text || 'null');
  }

  async function reconcile(): Promise<void> {
    const { failed } = await invoke('reconcile', {});
    if (Object.keys(failed).length > 0) throw new Error(`could not mend: ${JSON.stringify(failed)}`);
  }

  /** The function dies at this call, and its time to go on is over. */
  async function stopped(service: string, operation: string, call: () => Promise<ApiAnswer>): Promise<void> {
    await tellStandIn(aws, 'faults', { faults: [{ service, operation, kind: 'kill', times: 1 }] });
    const { status } = await call();
    await tellStandIn(aws, 'faults');
    if (status !== 500) throw new Error(`the function was killed and the answer was ${status}`);
  }

  const backdate = (serialNumber: string, path: string) =>
    dynamoDb.send(
      new UpdateItemCommand({
        TableName: `${prefix}devices`,
        Key: { serialNumber: { S: serialNumber } },
        UpdateExpression: `SET ${path} = :past, dueAt = :past`,
        ExpressionAttributeNames: path.includes('#until') ? { '#until': 'until' } : undefined,
        ExpressionAttributeValues: { ':past': { S: PAST } },
      }),
    );

  async function untilMended(serialNumber: string, isMended: (device: ApiAnswer['body']) => boolean): Promise<void> {
    await reconcile();
    const { body } = await operator.get(`/devices/${serialNumber}`);
    if (!isMended(body)) throw new Error(`not mended: ${JSON.stringify(body)}`);
  }

  const walks: Record<string, Walk> = {
    async 'operator suspends a camera'() {
      await act((await claimed('fixed')).serialNumber, 'suspend');
    },
    async 'operator resumes a camera'() {
      const { serialNumber } = await claimed('fixed');
      await act(serialNumber, 'suspend');
      await act(serialNumber, 'resume');
    },
    async 'operator retires a camera and its stream'() {
      await act((await claimed('thing-name')).serialNumber, 'retire', { streams: 'delete' });
    },
    async 'operator reopens a device'() {
      const serialNumber = await announced();
      await act(serialNumber, 'retire');
      await act(serialNumber, 'reopen');
    },
    async 'operator replaces a camera'() {
      const { serialNumber } = await claimed('thing-name');
      await act(serialNumber, 'replace', { by: await announced() });
    },
    async 'operator approves a key'() {
      const { serialNumber } = await claimed('fixed');
      await act(serialNumber, 'approve-claim', { publicKeySha256: 'a'.repeat(64) });
    },
    async 'operator sets a re-provisioning policy'() {
      await act(await announced(), 'reprovisioning', { policy: 'refuse' });
    },
    async 'operator approves a claim that is not there'() {
      const { serialNumber } = await claimed('fixed');
      await act(serialNumber, 'approve-claim', { claimId: '2026' }, 404);
    },

    async 'is made active though it is suspended, and shows life'() {
      const { serialNumber, certificateId } = await claimed('fixed');
      await act(serialNumber, 'suspend');
      await iot.send(new UpdateCertificateCommand({ certificateId, newStatus: 'ACTIVE' }));
      await invoke('onPresence', {
        clientId: serialNumber,
        timestamp: Date.now(),
        eventType: 'connected',
        sessionIdentifier: '00000000-0000-0000-0000-000000000000',
        principalIdentifier: certificateId,
        versionNumber: 0,
      });
    },

    async 'reconcile: a suspension is ended'() {
      const { serialNumber } = await claimed('fixed');
      await stopped('iot', 'UpdateCertificate', () => operator.post(`/devices/${serialNumber}/suspend`, {}));
      await backdate(serialNumber, 'cutOff.dueAt');
      await untilMended(serialNumber, ({ denied }) => denied?.length === 1);
    },
    async 'reconcile: a retirement is ended'() {
      const { serialNumber } = await claimed('thing-name');
      const order = { streams: 'delete' };
      await stopped('iot', 'UpdateCertificate', () => operator.post(`/devices/${serialNumber}/retire`, order));
      await backdate(serialNumber, 'cutOff.dueAt');
      await untilMended(serialNumber, ({ certificates }) => certificates.length === 0);
    },
    async 'reconcile: a takeover is ended'() {
      const { serialNumber } = await claimed('thing-name');
      const order = { by: await announced() };
      await stopped('kinesisvideo', 'TagStream', () => operator.post(`/devices/${serialNumber}/replace`, order));
      await reconcile();
    },
    async 'reconcile: a denial is lifted'() {
      const { serialNumber } = await claimed('fixed');
      await act(serialNumber, 'suspend');
      await backdate(serialNumber, 'denied[0].#until');
      await untilMended(serialNumber, ({ denied }) => denied === undefined);
    },
  };
  return walks;
}
