import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../clock.ts';
import { AwsError } from '../error.ts';
import type { Identities, Identity } from '../iam/identities.ts';
import type { Context } from '../policy.ts';
import { createAuthorization, principalOf } from './authorization.ts';
import type { Registry } from './registry.ts';

interface Options {
  registry: Registry;
  identities: Pick<Identities, 'assumeRole'>;
  tls: { cert: string; key: string };
  clock: Clock;
  faults: { meet(service: string, operation: string): Promise<{ loseAnswer: boolean }> };
}

/**
 * The AWS IoT credential provider (IoT guide, "Authorizing direct calls to AWS services"): a device's certificate for a role's short-lived
 * keys. What it refuses, in which order and words was measured by awslabs (aws-iot-core-credential-provider-session-helper, dev_notes.md).
 */
export function createCredentialProvider({ registry, identities, tls, clock, faults }: Options): Server {
  const authorization = createAuthorization({ registry, clock });

  const credentialsFor = (alias: string, thingName: string | undefined, socket: TLSSocket): Required<Identity> => {
    const principal = principalOf(socket);
    if (!principal || !authorization.usable(principal.certificateId)) {
      throw forbidden('Certificate is invalid on this endpoint');
    }
    const { certificateId } = principal;
    if (thingName !== undefined && !registry.thingsOf(certificateId).some((thing) => thing.thingName === thingName)) {
      throw forbidden('Invalid thing name passed');
    }
    const roleAliasArn = registry.arn(`rolealias/${alias}`);
    const context = authorization.contextOf(principal);
    if (!registry.allows(certificateId, 'iot:AssumeRoleWithCertificate', roleAliasArn, context)) {
      throw forbidden('Access Denied');
    }
    const roleAlias = registry.roleAliases.get(alias);
    if (!roleAlias) throw new AwsError('ResourceNotFoundException', 404, 'Role alias does not exist');
    try {
      return identities.assumeRole({
        roleArn: roleAlias.roleArn,
        principal: { Service: 'credentials.iot.amazonaws.com' },
        // As KVS denials show it: `assumed-role/<role>/<certificate id>`.
        sessionName: certificateId,
        durationSeconds: roleAlias.credentialDurationSeconds,
        // IoT guide, "Cross-service confused deputy prevention"
        trustContext: { 'aws:SourceArn': roleAlias.roleAliasArn, 'aws:SourceAccount': registry.accountId },
        sessionContext: sessionContext(certificateId, thingName),
      });
    } catch (error) {
      throw error instanceof AwsError ? cannotAssume(error) : error;
    }
  };

  /** The thing's keys are there only if the header named it (IoT guide, same page). */
  const sessionContext = (certificateId: string, thingName: string | undefined): Context => {
    const thing = thingName === undefined ? undefined : registry.things.get(thingName);
    return {
      'credentials-iot:AwsCertificateId': certificateId,
      ...(thing && { 'credentials-iot:ThingName': thing.thingName }),
      ...(thing?.thingTypeName !== undefined && { 'credentials-iot:ThingTypeName': thing.thingTypeName }),
    };
  };

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const alias = /^\/role-aliases\/([^/]+)\/credentials$/.exec(path)?.[1];
    if (alias === undefined || request.method !== 'GET') {
      throw new AwsError('ResourceNotFoundException', 404, `${request.method} ${path} is not of this endpoint`);
    }
    const thingName = request.headers['x-amzn-iot-thingname'];
    const { loseAnswer } = await faults.meet('iot', 'AssumeRoleWithCertificate');
    const session = credentialsFor(decoded(alias), thingName?.toString(), request.socket as TLSSocket);
    if (loseAnswer) return void request.socket.destroy();
    const { accessKeyId, secretAccessKey, sessionToken } = session;
    // Twenty characters: the KVS producer SDK accepts no other length.
    const expiration = new Date(session.expiration).toISOString().replace(/\.\d+Z$/, 'Z');
    answer(response, 200, { credentials: { accessKeyId, secretAccessKey, sessionToken, expiration } });
  };

  const server = createServer(
    // A client without a good certificate is told so in HTTP, not by a failed handshake; the chain is not asked for, the registry is.
    { cert: tls.cert, key: tls.key, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      request.on('error', () => {}); // the client went away
      // Cameras set their own clock by it, so it is the stand-in's time and not the machine's.
      response.sendDate = false;
      response.setHeader('date', new Date(clock.now()).toUTCString());
      request.resume();
      serve(request, response).catch((error) => {
        if (!(error instanceof AwsError)) {
          process.stderr.write(`credential provider: ${error instanceof Error ? error.stack : String(error)}\n`);
        }
        const { code, status, message } =
          error instanceof AwsError ? error : new AwsError('InternalFailure', 500, 'Internal failure');
        answer(response, status, { message }, { 'x-amzn-ErrorType': code });
      });
    },
  );
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return server;
}

const forbidden = (message: string) => new AwsError('AccessDeniedException', 403, message);

function cannotAssume({ code }: AwsError): AwsError {
  const message =
    code === 'ValidationError'
      ? 'The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role'
      : 'Unable to assume the role, or the role to assume does not exist';
  return new AwsError('InvalidRequestException', 400, message);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  const length = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text).toString() };
  response.writeHead(status, { ...length, 'x-amzn-RequestId': randomUUID(), ...headers });
  response.end(text);
}
