import { ScanCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateThingCommand,
  DeleteThingCommand,
  DescribeCertificateCommand,
  paginateListCertificates,
} from '@aws-sdk/client-iot';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { tellStandIn } from '../../admin.ts';
import { awsClients } from '../../aws-clients.ts';
import { announce, newSerial } from '../../camera-claim.ts';
import { type DeviceKey, makeDeviceKey } from '../../device-key.ts';
import { type ApiAnswer, createHttpApi } from '../../http-api.ts';
import type { Outputs } from '../../local-run.ts';
import type { Mode, Walk } from './claim.ts';
import type { presenceWalks } from './presence.ts';

/** A door at which a device is made over HTTP: the line's, and the camera's own. */
type Ask = (serialNumber: string, key: DeviceKey) => Promise<ApiAnswer>;

type Presence = Awaited<ReturnType<typeof presenceWalks>>;

export async function expectStatus(asked: Promise<ApiAnswer>, status: number): Promise<ApiAnswer['body']> {
  const answer = await asked;
  // A function's own words have a code, API Gateway's have a message.
  if (answer.status !== status) throw new Error(`${answer.status} ${answer.body.code ?? answer.body.message}`);
  return answer.body;
}

/** What is made over HTTP, and who finishes what was begun. */
export async function lineWalks(outputs: Outputs, prefix: string, presence: Presence): Promise<Record<string, Walk>> {
  const { aws, personas } = outputs;
  const { iot, lambda, dynamoDb } = awsClients(outputs, personas.admin);
  const factory = createHttpApi(outputs, personas.factory);
  const stranger = createHttpApi(outputs);
  const operator = createHttpApi(outputs, personas.operator);
  const faults = (...list: object[]) => tellStandIn(aws, 'faults', { faults: list });

  async function pinned(streamMode: Mode = 'thing-name'): Promise<{ serialNumber: string; key: DeviceKey }> {
    const [serialNumber, key] = [newSerial(), await makeDeviceKey()];
    await announce(outputs, { serialNumber, streamMode, publicKeySha256: key.publicKeySha256 });
    return { serialNumber, key };
  }

  const line: Ask = (serialNumber, { certificateSigningRequest }) =>
    factory.post(`/devices/${serialNumber}/provision`, { certificateSigningRequest });
  const https: Ask = (serialNumber, { certificateSigningRequest }) =>
    stranger.post('/claims', { serialNumber, certificateSigningRequest });

  async function certificatesOfAccount(): Promise<number> {
    let count = 0;
    for await (const { certificates = [] } of paginateListCertificates({ client: iot, pageSize: 250 }, {})) {
      count += certificates.length;
    }
    return count;
  }

  const doorWalks = (door: string, ask: Ask, taken: number): Record<string, Walk> => ({
    async [`${door}: a device is made`]() {
      const { serialNumber, key } = await pinned();
      await expectStatus(ask(serialNumber, key), 201);
    },
    async [`${door}: the answer is asked for again`]() {
      const { serialNumber, key } = await pinned('fixed');
      await expectStatus(ask(serialNumber, key), 201);
      await expectStatus(ask(serialNumber, key), 201);
    },
    async [`${door}: its thing is there already`]() {
      const { serialNumber, key } = await pinned('fixed');
      const attributePayload = { attributes: { serialNumber } };
      await iot.send(new CreateThingCommand({ thingName: serialNumber, attributePayload }));
      await expectStatus(ask(serialNumber, key), 201);
    },
    async [`${door}: its stream is there already`]() {
      const { serialNumber, key } = await pinned();
      await faults({ service: 'iot', operation: 'CreateCertificateFromCsr', kind: 'error', times: 3 });
      const { status } = await ask(serialNumber, key);
      await faults();
      if (status !== 500) throw new Error(`AWS failed and the answer was ${status}`);
      await expectStatus(ask(serialNumber, key), 201);
    },
    async [`${door}: its thing is somebody else's, and nothing is left`]() {
      const { serialNumber, key } = await pinned('fixed');
      await iot.send(new CreateThingCommand({ thingName: serialNumber }));
      const before = await certificatesOfAccount();
      await expectStatus(ask(serialNumber, key), taken);
      if ((await certificatesOfAccount()) !== before) throw new Error('a certificate was left behind');
    },
  });

  /** Runs as an operator runs it, and tells whom it could not help. */
  async function reconcile(): Promise<void> {
    const { FunctionError, Payload } = await lambda.send(new InvokeCommand({ FunctionName: `${prefix}reconcile` }));
    const text = Buffer.from(Payload ?? []).toString();
    if (FunctionError) throw new Error(text);
    const { failed } = JSON.parse(text);
    if (Object.keys(failed).length > 0) throw new Error(`could not mend: ${JSON.stringify(failed)}`);
  }

  async function untilMended(serialNumber: string, isMended: (device: ApiAnswer['body']) => boolean): Promise<void> {
    await reconcile();
    const { body } = await operator.get(`/devices/${serialNumber}`);
    if (!isMended(body)) throw new Error(`not mended: ${JSON.stringify(body)}`);
  }

  const hasItsStream = ({ streams }: ApiAnswer['body']) => streams[0].state === 'made';

  /** A camera whose making stopped once its certificate was on record, and whose time to go on is over. */
  async function halfMade(thing: boolean): Promise<string> {
    const { serialNumber, key } = await pinned('fixed');
    await faults({ service: 'iot', operation: 'AttachThingPrincipal', kind: 'kill', times: 1 });
    const { status } = await line(serialNumber, key);
    await faults();
    if (status !== 500) throw new Error(`the function was killed and the answer was ${status}`);
    if (thing) {
      await iot.send(new DeleteThingCommand({ thingName: serialNumber }));
      const attributePayload = { attributes: { serialNumber } };
      await iot.send(new CreateThingCommand({ thingName: serialNumber, attributePayload }));
    }
    await dynamoDb.send(
      new UpdateItemCommand({
        TableName: `${prefix}devices`,
        Key: { serialNumber: { S: serialNumber } },
        UpdateExpression: 'SET making.#since = :past, dueAt = :past',
        ExpressionAttributeNames: { '#since': 'since' },
        ExpressionAttributeValues: { ':past': { S: '2020-01-01T00:00:00.000Z' } },
      }),
    );
    return serialNumber;
  }

  return {
    ...doorWalks('line', line, 409),
    ...doorWalks('https', https, 403),

    async 'line: a device is made with a key of AWS'() {
      const { serialNumber } = await unpinned();
      await expectStatus(factory.post(`/devices/${serialNumber}/provision`, {}), 201);
    },
    async 'line: nobody announced it'() {
      await expectStatus(line(newSerial(), await makeDeviceKey()), 404);
    },
    async 'operator has a device made'() {
      const { serialNumber, key } = await pinned('fixed');
      const { certificateSigningRequest } = key;
      await expectStatus(operator.post(`/devices/${serialNumber}/provision`, { certificateSigningRequest }), 201);
    },
    async 'https: a stranger is denied, for the operator to see'() {
      const { serialNumber } = await pinned('fixed');
      await expectStatus(https(serialNumber, await makeDeviceKey()), 403);
      const { body } = await operator.get(`/devices/${serialNumber}/claims`);
      if (body.claims?.[0]?.reason !== 'key-mismatch') throw new Error('the denial was not written down');
    },

    async 'reconcile: a replaced certificate goes'() {
      const { serialNumber } = await unpinned();
      for (let i = 0; i < 2; i++) await expectStatus(factory.post(`/devices/${serialNumber}/provision`, {}), 201);
      await untilMended(serialNumber, ({ certificates }) => certificates.length === 1);
    },
    async 'reconcile: a late stream is made'() {
      const { serialNumber } = await presence.claimsWithLateStream('error');
      await untilMended(serialNumber, hasItsStream);
    },
    async 'reconcile: a late stream is there already'() {
      const { serialNumber } = await presence.claimsWithLateStream('lost-answer');
      await untilMended(serialNumber, hasItsStream);
    },
    async 'reconcile: a half-made device is finished'() {
      await untilMended(await halfMade(false), ({ making }) => making === undefined);
    },
    async 'reconcile: a half-made device with another thing is finished'() {
      await untilMended(await halfMade(true), ({ making }) => making === undefined);
    },

    async 'factory reads the description of the API'() {
      await expectStatus(factory.get('/openapi.json'), 200);
    },
    async 'operator reads the description of the API'() {
      await expectStatus(operator.get('/openapi.json'), 200);
    },
    async 'operator lists claim certificates'() {
      await expectStatus(operator.get('/claim-certificates'), 200);
    },
    async 'operator orders a claim certificate in vain'() {
      const batch = newSerial();
      await faults({ service: 'iot', operation: 'AttachPolicy', kind: 'error', times: 3 });
      const { status } = await operator.post('/claim-certificates', { batch });
      await faults();
      if (status !== 500) throw new Error(`AWS failed and the answer was ${status}`);
      const TableName = `${prefix}claim-certificates`;
      const { Items = [] } = await dynamoDb.send(new ScanCommand({ TableName }));
      const record = Items.find((item) => item.batch?.S === batch);
      const certificateId = record?.certificateId?.S;
      const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
      const isDisabled = record?.disabledAt !== undefined && certificateDescription?.status === 'INACTIVE';
      if (!isDisabled) throw new Error('a claim certificate was left half made');
    },
    async 'operator disables a claim certificate'() {
      const { certificateSigningRequest } = await makeDeviceKey();
      const body = await expectStatus(operator.post('/claim-certificates', { certificateSigningRequest }), 201);
      await expectStatus(operator.post(`/claim-certificates/${body.certificateId}/disable`, {}), 200);
    },
    async 'factory has an installer’s claim made'() {
      await expectStatus(factory.post('/provisioning-claims', {}), 201);
    },
    async 'operator has an installer’s claim made'() {
      await expectStatus(operator.post('/provisioning-claims', {}), 201);
    },
  };

  async function unpinned(): Promise<{ serialNumber: string }> {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber, streamMode: 'fixed' });
    return { serialNumber };
  }
}
