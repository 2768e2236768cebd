import { randomUUID } from 'node:crypto';
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { awsClients } from '../../aws-clients.ts';
import { announce, type Camera, claimCertificate, type ManifestRow, newSerial } from '../../camera-claim.ts';
import { certificateIdOf, makeDeviceKey } from '../../device-key.ts';
import { createHttpApi } from '../../http-api.ts';
import type { Outputs } from '../../local-run.ts';
import { type Answer, connectDevice, type MqttDevice } from '../../mqtt-device.ts';
import { until } from '../../until.ts';

/** The shortest way to use one right as its holder does. Throws what a user would see when it does not work. */
export type Walk = (patienceMs: number) => Promise<unknown>;

export type ClaimDoor = Awaited<ReturnType<typeof claimWalks>>;

export type Mode = 'thing-name' | 'certificate-id' | 'fixed';

/** Rejects when nothing has come in time: some refusals are a silence. */
export async function inTime<T>(work: Promise<T>, patienceMs: number, otherwise: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(otherwise)), patienceMs);
  work.catch(() => {}); // it may end after nobody waits any more
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The walks at the claim door, and what others need to begin with a claimed camera. */
export async function claimWalks(outputs: Outputs) {
  const held = await claimCertificate(outputs);
  const claimCertificateId = certificateIdOf(held.certificatePem);
  const operator = createHttpApi(outputs, outputs.personas.operator);
  const provisioning = `$aws/provisioning-templates/${outputs.claim.templateName}/provision`;
  // Every camera here has the same key: the registry tells keys apart within one device only.
  const { certificateSigningRequest, privateKeyPem } = await makeDeviceKey();
  const announced = new Map<string, string[]>();

  /** Announced a few at a time: most walks begin with a camera that is expected. */
  async function expectedSerial(row: Omit<ManifestRow, 'serialNumber'>): Promise<string> {
    const kind = JSON.stringify(row);
    const left = announced.get(kind) ?? [];
    if (left.length === 0) {
      const serials = Array.from({ length: 20 }, newSerial);
      await announce(outputs, ...serials.map((serialNumber) => ({ serialNumber, ...row })));
      left.push(...serials);
    }
    announced.set(kind, left);
    return left.pop() as string;
  }

  async function atTheClaimDoor<T>(clientId: string, visit: (device: MqttDevice) => Promise<T>): Promise<T> {
    const device = await connectDevice(outputs, { clientId: `${clientId}${randomUUID()}`, held });
    try {
      return await visit(device);
    } finally {
      await device.close();
    }
  }

  async function accepted(
    device: MqttDevice,
    topic: string,
    question: object,
    patienceMs: number,
  ): Promise<Answer['content']> {
    const { outcome, content } = await inTime(device.ask(topic, question), patienceMs, `silence on ${topic}`);
    if (outcome === 'accepted') return content;
    throw new Error(`rejected: ${content.statusCode} ${content.errorCode} ${content.errorMessage}`);
  }

  const asks =
    (door: 'create' | 'create-from-csr', format: 'json' | 'cbor', clientId = 'claim-'): Walk =>
    (patienceMs) =>
      atTheClaimDoor(clientId, (device) => {
        const question = door === 'create' ? {} : { certificateSigningRequest };
        return accepted(device, `$aws/certificates/${door}/${format}`, question, patienceMs);
      });

  /** A whole claim in one sitting. */
  async function claims(serialNumber: string, { format = 'json', patienceMs = 15_000 } = {}): Promise<Camera> {
    return atTheClaimDoor('claim-', async (device) => {
      const question = { certificateSigningRequest };
      const { certificateId, certificatePem, certificateOwnershipToken } = await accepted(
        device,
        '$aws/certificates/create-from-csr/json',
        question,
        patienceMs,
      );
      const parameters = { SerialNumber: serialNumber };
      const registered = await accepted(
        device,
        `${provisioning}/${format}`,
        { certificateOwnershipToken, parameters },
        patienceMs,
      );
      const { thingName, deviceConfiguration: configuration } = registered;
      return { serialNumber, certificateId, certificatePem, privateKeyPem, thingName, configuration };
    });
  }

  const claimsAs =
    (streamMode: Mode, format = 'json'): Walk =>
    async (patienceMs) =>
      claims(await expectedSerial({ streamMode }), { format, patienceMs });

  const walks: Record<string, Walk> = {
    'asks for keys in JSON': asks('create', 'json', 'fleet-provisioning-'),
    'asks for keys in CBOR': asks('create', 'cbor', 'fleet-provisioning-'),
    'sends a CSR in JSON': asks('create-from-csr', 'json'),
    'sends a CSR in CBOR': asks('create-from-csr', 'cbor'),
    'claims a thing-name identity': claimsAs('thing-name'),
    'claims a certificate-id identity': claimsAs('certificate-id'),
    'claims a fixed identity': claimsAs('fixed'),
    'claims in CBOR': claimsAs('thing-name', 'cbor'),

    async 'claims again with the same key'() {
      const serialNumber = await expectedSerial({ streamMode: 'thing-name' });
      await claims(serialNumber);
      await claims(serialNumber).catch((error) => {
        throw new Error(`the second time: ${error.message}`);
      });
    },

    async 'is refused, for the operator to see'() {
      const serialNumber = newSerial();
      const seen = await claims(serialNumber).then(
        () => 'nothing',
        ({ message }) => message,
      );
      if (!/^rejected: 403 /.test(seen)) throw new Error(`a stranger saw ${seen}`);
      const { body } = await operator.get(`/devices/${serialNumber}/claims`);
      if (body.claims?.[0]?.reason !== 'unknown-serial') throw new Error('the refusal was not written down');
    },

    async 'a claim is listed under its claim certificate'(patienceMs) {
      const { serialNumber } = await claims(await expectedSerial({ streamMode: 'fixed' }));
      const TableName = `${outputs.claim.templateName.replace(/-claim$/, '')}-openings`;
      await until(
        'the opening',
        async () => {
          const { dynamoDb } = awsClients(outputs, outputs.personas.admin);
          const { Items = [] } = await dynamoDb.send(new ScanCommand({ TableName }));
          return Items.some((item) => item.serialNumber?.S === serialNumber);
        },
        patienceMs,
      );
    },

    async 'is refused, and its claim certificate counts it'() {
      const refused = async () => {
        const { body } = await operator.get('/claim-certificates');
        return body.claimCertificates.find((one: { certificateId: string }) => one.certificateId === claimCertificateId)
          .refused;
      };
      const before = await refused();
      await claims(newSerial()).catch(() => {});
      if ((await refused()) !== before + 1) throw new Error('the claim certificate did not count the refusal');
    },
  };
  return { walks, claims, expectedSerial };
}
