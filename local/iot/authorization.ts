import { createHash, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../clock.ts';
import type { Context } from '../policy.ts';
import type { Certificate, Registry } from './registry.ts';

/** Who is at the other end of a TLS connection, by the certificate it showed. */
export interface Principal {
  certificateId: string;
  sourceIp: string;
  /** `iot:Certificate.*`, which no change in the registry can alter. */
  certificateContext: Context;
}

/** Undefined when the client showed no certificate. */
export function principalOf(socket: TLSSocket): Principal | undefined {
  const shown = socket.getPeerX509Certificate();
  if (!shown) return undefined;
  return {
    certificateId: createHash('sha256').update(shown.raw).digest('hex'),
    sourceIp: (socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    certificateContext: certificateContextOf(shown),
  };
}

export interface Authorization {
  /** The certificate as it may be used at this moment; undefined when it opens nothing. */
  usable(certificateId: string): Certificate | undefined;
  /** May this client do it? `topic` is a topic, a filter or, for iot:Connect, the client id. */
  may(principal: Principal, clientId: string, action: IotAction, topic: string): boolean;
  /** What an IoT policy is decided on. Without a client id, as over HTTPS, nothing is known of a thing. */
  contextOf(principal: Principal, clientId?: string): Context;
}

export type IotAction = 'iot:Connect' | 'iot:Publish' | 'iot:Subscribe' | 'iot:Receive' | 'iot:RetainPublish';

/** IoT guide, "AWS IoT Core action resources". */
const RESOURCE: Record<IotAction, string> = {
  'iot:Connect': 'client',
  'iot:Publish': 'topic',
  'iot:RetainPublish': 'topic',
  'iot:Receive': 'topic',
  'iot:Subscribe': 'topicfilter',
};

/** Asked at every packet, parsed once. */
const ends = new WeakMap<Certificate, number>();

function endOf(certificate: Certificate): number {
  const end = ends.get(certificate) ?? new X509Certificate(certificate.certificatePem).validToDate.getTime();
  ends.set(certificate, end);
  return end;
}

export function createAuthorization({ registry, clock }: { registry: Registry; clock: Clock }): Authorization {
  const authorization: Authorization = {
    usable(certificateId) {
      const certificate = registry.certificate(certificateId);
      // UpdateCertificate: only ACTIVE authenticates; devices of a certificate that leaves ACTIVE are disconnected.
      if (certificate?.status !== 'ACTIVE') return undefined;
      // A registered certificate is trusted without its chain (RegisterCertificateWithoutCA), but not past its end.
      return endOf(certificate) <= clock.now() ? undefined : certificate;
    },

    may(principal, clientId, action, topic) {
      const certificate = authorization.usable(principal.certificateId);
      if (!certificate) return false;
      if (certificate.provisioningClaim) return claimAllows(certificate.provisioningClaim.templateName, action, topic);
      const resource = registry.arn(`${RESOURCE[action]}/${topic}`);
      return registry.allows(principal.certificateId, action, resource, authorization.contextOf(principal, clientId));
    },

    contextOf(principal, clientId) {
      const context = { ...principal.certificateContext, 'aws:SourceIp': principal.sourceIp };
      return clientId === undefined
        ? context
        : { ...context, 'iot:ClientId': clientId, ...thingContext(registry, principal.certificateId, clientId) };
    },
  };
  return authorization;
}

/**
 * A trusted user's claim carries no policy: it opens the provisioning topics of its own template, whatever the client id
 * (IoT guide, "Provisioning by trusted user").
 */
function claimAllows(templateName: string, action: IotAction, topic: string): boolean {
  if (action === 'iot:Connect') return true;
  const base =
    /^\$aws\/(certificates\/create(-from-csr)?|provisioning-templates\/([^/]+)\/provision)\/(json|cbor)(\/.*)?$/;
  const [, , , template, , answer] = base.exec(topic) ?? [];
  if (!base.test(topic) || (template !== undefined && template !== templateName)) return false;
  return action === 'iot:Publish' ? answer === undefined : answer === '/accepted' || answer === '/rejected';
}

/** Resolved only for a thing the certificate is attached to (IoT guide, "Thing policy variables"). */
function thingContext(registry: Registry, certificateId: string, clientId: string): Context {
  const found = registry.thingOf(certificateId, clientId);
  if (!found) return { 'iot:Connection.Thing.IsAttached': 'false' };
  const { thing } = found;
  return {
    'iot:Connection.Thing.IsAttached': 'true',
    'iot:Connection.Thing.ThingName': thing.thingName,
    'iot:Connection.Thing.ThingTypeName': thing.thingTypeName,
    ...Object.fromEntries(
      Object.entries(thing.attributes).map(([name, value]) => [`iot:Connection.Thing.Attributes[${name}]`, value]),
    ),
  };
}

/** OpenSSL's name of each attribute that is a variable (IoT guide, "X.509 certificate policy variables"). */
const ATTRIBUTES: Record<string, string> = {
  C: 'Country',
  O: 'Organization',
  OU: 'OrganizationalUnit',
  ST: 'State',
  CN: 'CommonName',
  serialNumber: 'SerialNumber',
  dnQualifier: 'DistinguishedNameQualifier',
  title: 'Title',
  SN: 'Surname',
  GN: 'GivenName',
  initials: 'Initials',
  pseudonym: 'Pseudonym',
  generationQualifier: 'GenerationQualifier',
};

const ALTERNATIVE_NAMES: Record<string, string> = {
  email: 'RFC822Name',
  DNS: 'DNSName',
  DirName: 'DirectoryName',
  URI: 'UniformResourceIdentifier',
  'IP Address': 'IPAddress',
};

export function certificateContextOf(certificate: X509Certificate): Context {
  const { subject, issuer } = certificate.toLegacyObject();
  const context: Record<string, string | string[]> = {};
  const put = (name: string, values: string[]) => {
    // "not substituted" with a wildcard or past 1024 characters: a certificate must not widen a policy.
    const usable = values.filter((value) => !/[*?#+]/.test(value) && value.length <= 1024);
    if (usable.length === 0 || usable.length !== values.length) return;
    for (const [index, value] of values.entries()) {
      context[`iot:Certificate.${name}${index === 0 ? '' : `.${index}`}`] = value;
    }
    context[`iot:Certificate.${name}.List`] = values;
  };
  for (const [part, attributes] of [
    ['Subject', subject],
    ['Issuer', issuer],
  ] as const) {
    for (const [key, value] of Object.entries(attributes ?? {})) {
      const name = ATTRIBUTES[key];
      if (name !== undefined && value !== undefined) put(`${part}.${name}`, [value].flat());
    }
  }
  const alternatives = new Map<string, string[]>();
  for (const entry of certificate.subjectAltName?.split(', ') ?? []) {
    const [kind = '', ...value] = entry.split(':');
    const name = ALTERNATIVE_NAMES[kind];
    if (name !== undefined) alternatives.set(name, [...(alternatives.get(name) ?? []), value.join(':')]);
  }
  for (const [name, values] of alternatives) put(`Subject.AlternativeName.${name}`, values);

  context['iot:Certificate.SerialNumber'] = certificate.serialNumber;
  context['iot:Certificate.AvailableKeys'] = Object.keys(context);
  return context;
}
