import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Connection } from './connection.ts';
import type { Issued, Issuer } from './issuer.ts';
import { certificateIdIn, isBoundTo, newOwnershipToken } from './ownership.ts';
import { type Format, readPayload, stringMap, writePayload } from './payloads.ts';
import type { Certificate, ProvisioningTemplate, Registry } from './registry.ts';
import type { Reserved } from './requests.ts';

/** What the provisioning of one thing needs; local/iot/provision.ts does it. */
export interface ProvisionRequest {
  template: string;
  templateArn: string;
  roleArn: string;
  parameters: Record<string, string>;
  certificate: Certificate;
}

export interface Provisioned {
  thingName?: string;
  deviceConfiguration: Record<string, string>;
}

/** Calls the pre-provisioning hook; resolves with what the function returned, rejects when it failed. */
export type InvokeHook = (call: { targetArn: string; templateArn: string; event: HookEvent }) => Promise<unknown>;

/** IoT guide, "Pre-provisioning hooks". */
export interface HookEvent {
  claimCertificateId: string;
  certificateId: string;
  certificatePem: string;
  templateArn: string;
  clientId: string;
  parameters: Record<string, string>;
}

interface Options {
  registry: Registry;
  issuer: Pick<Issuer, 'fromCsr' | 'withNewKeys'>;
  provision(request: ProvisionRequest): Provisioned | Promise<Provisioned>;
  invokeHook: InvokeHook;
  clock: Clock;
  faults: { meet(service: string, operation: string, about: { resource: string }): Promise<{ loseAnswer: boolean }> };
}

/** An answer on `<topic>/rejected`. AWS publishes no list of codes: but for InvalidCertificateOwnershipToken they are our names, and clients go by the status. */
class Rejection extends Error {
  override name = 'Rejection' as const;
  readonly statusCode: number;
  readonly errorCode: string;

  constructor(statusCode: number, errorCode: string, message: string) {
    super(message);
    this.statusCode = statusCode;
    this.errorCode = errorCode;
  }
}

/** IoT guide, "CreateCertificateFromCsr": the token ends after an hour and takes an unused certificate along. */
const TOKEN_LIFE_MS = 3_600_000;
/** IoT guide, "Pre-provisioning hooks": "must return a response within 5 seconds"; on real time, as the function runs on it. */
const HOOK_LIMIT_MS = 5_000;

/** Fleet provisioning over MQTT (IoT guide, "Device provisioning MQTT API"): the three operations a claim certificate opens. */
export function createProvisioningDoor({ registry, issuer, provision, invokeHook, clock, faults }: Options): Reserved {
  /** Certificates whose RegisterThing is under way: a rival with the same token must not run beside it. */
  const busy = new Set<string>();

  const createCertificate = async (connection: Connection, issue: () => Promise<Issued & { keyPair?: KeyPair }>) => {
    const { keyPair, ...issued } = await issue();
    const now = clock.now();
    const token = newOwnershipToken(issued.certificateId, connection);
    registry.putCertificate({
      ...issued,
      certificateArn: registry.arn(`cert/${issued.certificateId}`),
      status: 'PENDING_ACTIVATION',
      certificateMode: 'DEFAULT',
      customerVersion: 1,
      generationId: randomBytes(16).toString('hex'),
      creationDate: now,
      lastModifiedDate: now,
      ownership: { token, expiresAt: now + TOKEN_LIFE_MS },
    });
    const { certificateId, certificatePem } = issued;
    // Over HTTP the public key comes as well, over MQTT it does not.
    const privateKey = keyPair && { privateKey: keyPair.PrivateKey };
    return { certificateId, certificatePem, ...privateKey, certificateOwnershipToken: token };
  };

  const registerThing = async (connection: Connection, templateName: string, input: Record<string, unknown>) => {
    const { certificateOwnershipToken: token, parameters: given = {} } = input;
    if (token === undefined || token === '') throw invalidToken('Certificate ownership token cannot be empty.');
    const template = usableTemplate(registry.templates.get(templateName));
    const parameters = stringMap(given);
    if (!parameters) throw new Rejection(400, 'InvalidParameters', 'parameters must be a map of strings.');

    const pending = pendingCertificate(token, connection);
    if (busy.has(pending.certificateId)) {
      throw new Rejection(409, 'ResourceConflicts', 'The certificate is being registered by another request.');
    }
    busy.add(pending.certificateId);
    try {
      const overrides = await askHook(connection, template, pending, parameters);
      // The hook took its time: the token may have ended meanwhile.
      const certificate = pendingCertificate(token, connection);
      const { thingName, deviceConfiguration } = await provision({
        template: template.versions.get(template.defaultVersionId)?.templateBody ?? '',
        templateArn: template.templateArn,
        roleArn: template.provisioningRoleArn,
        // AWS does not say which wins when the device sent the same key: what the owner's function says does.
        parameters: { ...parameters, ...overrides },
        certificate,
      });
      // One use: from here on the certificate is no longer pending, and does not end with its token.
      const registered = registry.certificates.get(certificate.certificateId);
      if (registered) delete registered.ownership;
      return { deviceConfiguration, ...(thingName !== undefined && { thingName }) };
    } finally {
      busy.delete(pending.certificateId);
    }
  };

  const askHook = async (
    { clientId, principal }: Connection,
    { preProvisioningHook: hook, templateArn }: ProvisioningTemplate,
    { certificateId, certificatePem }: Certificate,
    parameters: Record<string, string>,
  ): Promise<Record<string, string>> => {
    if (!hook) return {};
    const claimCertificateId = principal.certificateId;
    const event = { claimCertificateId, certificateId, certificatePem, templateArn, clientId, parameters };
    try {
      const answer = await within(HOOK_LIMIT_MS, invokeHook({ targetArn: hook.targetArn, templateArn, event }));
      const { allowProvisioning, parameterOverrides = {} } = (answer ?? {}) as Record<string, unknown>;
      if (allowProvisioning === true) {
        const overrides = stringMap(parameterOverrides);
        if (overrides) return overrides;
        throw new Error('its parameterOverrides are no map of strings');
      }
    } catch (error) {
      // AWS writes it to CloudWatch Logs: the device is told nothing of it.
      process.stderr.write(`provisioning hook: ${error instanceof Error ? error.message : String(error)}\n`);
    }
    // One answer for a no, a crash and silence: "ACCESS_DENIED" (IoT guide, "Pre-provisioning hooks").
    throw denied('The pre-provisioning hook did not allow it.');
  };

  /** The certificate a token stands for, as long as it does. */
  const pendingCertificate = (token: unknown, connection: Connection): Certificate => {
    const certificate = typeof token === 'string' ? registry.certificate(certificateIdIn(token)) : undefined;
    if (typeof token !== 'string' || certificate?.ownership?.token !== token) {
      throw invalidToken('Certificate ownership token is invalid or has expired.');
    }
    if (!isBoundTo(token, connection)) throw invalidToken('Certificate ownership token was issued to another client.');
    return certificate;
  };

  const operationOf = (topic: string) => {
    const [, fromCsr, templateName, format] =
      /^\$aws\/(?:certificates\/create(-from-csr)?|provisioning-templates\/([^/]+)\/provision)\/(json|cbor)$/.exec(
        topic,
      ) ?? [];
    if (format === undefined) return undefined;
    const run = (input: Record<string, unknown>, connection: Connection) => {
      if (templateName !== undefined) return registerThing(connection, templateName, input);
      if (fromCsr === undefined) return createCertificate(connection, issuer.withNewKeys);
      return createCertificate(connection, () => issuer.fromCsr(input.certificateSigningRequest as string));
    };
    const create = fromCsr === undefined ? 'CreateKeysAndCertificate' : 'CreateCertificateFromCsr';
    return { name: templateName === undefined ? create : 'RegisterThing', format: format as Format, run };
  };

  return ({ topic, payload, connection }) => {
    const operation = operationOf(topic);
    if (!operation) return undefined;
    const { name, format, run } = operation;
    // "The response is only published to the connection that made the request"; without a subscription it is lost, the work is not.
    const reply = (kind: 'accepted' | 'rejected', value: Record<string, unknown>) =>
      connection.deliver({ topic: `${topic}/${kind}`, payload: writePayload(format, value), qos: 1, retain: false });

    return (async () => {
      let lost = false;
      try {
        lost = (await faults.meet('iot', name, { resource: 'mqtt' })).loseAnswer;
        const answer = await run(inputOf(format, payload), connection);
        if (!lost) reply('accepted', answer);
      } catch (error) {
        const { statusCode, errorCode, message } = rejectionOf(error, name);
        if (!lost) reply('rejected', { statusCode, errorCode, errorMessage: message });
      }
    })();
  };
}

interface KeyPair {
  PublicKey: string;
  PrivateKey: string;
}

function inputOf(format: Format, payload: Buffer): Record<string, unknown> {
  try {
    return readPayload(format, payload);
  } catch {
    throw new Rejection(400, 'InvalidParameters', `The payload is not a valid ${format.toUpperCase()} map.`);
  }
}

function usableTemplate(template: ProvisioningTemplate | undefined): ProvisioningTemplate {
  if (!template) throw new Rejection(404, 'ResourceNotFound', 'Provisioning template not found.');
  // It is there and nobody may use it: of our codes that is AccessDenied.
  if (!template.enabled) throw denied('The provisioning template is disabled.');
  if (template.type !== 'FLEET_PROVISIONING') {
    throw new Rejection(400, 'InvalidParameters', 'The provisioning template is not for fleet provisioning.');
  }
  return template;
}

const denied = (message: string) => new Rejection(403, 'AccessDenied', message);
const invalidToken = (message: string) => new Rejection(400, 'InvalidCertificateOwnershipToken', message);

/** Shapes what an inner call of AWS IoT threw as an answer over MQTT. */
function rejectionOf(error: unknown, operation: string): Rejection {
  if (error instanceof Rejection) return error;
  if (error instanceof AwsError) {
    const { code, status, message } = error;
    if (/Throttl|LimitExceeded/.test(code)) return new Rejection(429, 'Throttled', message);
    if (/AccessDenied|Unauthorized|Forbidden/.test(code)) return new Rejection(403, 'AccessDenied', message);
    if (/Conflict|AlreadyExists/.test(code)) return new Rejection(409, 'ResourceConflicts', message);
    if (/NotFound|NoSuchEntity/.test(code)) return new Rejection(404, 'ResourceNotFound', message);
    if (status < 500) return new Rejection(400, 'InvalidParameters', message);
    return new Rejection(500, 'InternalFailure', message);
  }
  process.stderr.write(`mqtt ${operation}: ${error instanceof Error ? error.stack : String(error)}\n`);
  return new Rejection(500, 'InternalFailure', 'Internal failure.');
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer within ${ms} ms.`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
