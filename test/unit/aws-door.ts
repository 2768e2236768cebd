import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, createClock } from '../../local/clock.ts';
import { createDoor } from '../../local/door.ts';
import { createFaults, type Faults } from '../../local/faults.ts';
import { createIdentities, type IdentityStore } from '../../local/iam/identities.ts';
import type { Service } from '../../local/service.ts';

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';

export interface AwsDoor {
  url: string;
  port: number;
  clock: Clock;
  faults: Faults;
  identities: IdentityStore;
  /** What an AWS SDK client is made from, as the account itself. */
  client: { endpoint: string; region: string; credentials: Credentials; maxAttempts: number };
  /** The same for a user who may do what the statements say. */
  clientOf(userName: string, statements: object[]): AwsDoor['client'];
  /** The same for a session of a new role. */
  sessionOf(roleName: string, sessionName: string, statements: object[]): AwsDoor['client'];
  close(): Promise<void>;
}

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

interface Parts {
  clock: Clock;
  faults: Faults;
  url: () => string;
}

/** The real door, on a port of its own, in front of the services under test. */
export async function openDoor(make: (parts: Parts) => Service | Promise<Service>): Promise<AwsDoor> {
  const clock = createClock();
  const faults = createFaults({ clock });
  const identities = createIdentities({ clock, accountId: ACCOUNT });
  let url = '';
  const service = await make({ clock, faults, url: () => url });
  const server = createServer(
    { requestTimeout: 0 },
    createDoor({ services: [service], identities, clock, region: REGION, faults }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;

  const client = (credentials: Credentials) => ({ endpoint: url, region: REGION, credentials, maxAttempts: 1 });
  const holder = (arn: string, statements: object[]) => ({
    arn,
    path: '/',
    createDate: clock.now(),
    inline: new Map([['test', JSON.stringify({ Version: '2012-10-17', Statement: statements })]]),
    attached: new Set<string>(),
    tags: new Map<string, string>(),
  });

  return {
    url,
    port,
    clock,
    faults,
    identities,
    client: client(identities.root),
    clientOf(userName, statements) {
      const key = { accessKeyId: `AKIA${userName.toUpperCase()}`, secretAccessKey: `secret-of-${userName}` };
      identities.users.set(userName, {
        ...holder(`arn:aws:iam::${ACCOUNT}:user/${userName}`, statements),
        userName,
        userId: `AIDA${userName}`,
        keys: new Map([[key.accessKeyId, { ...key, createDate: clock.now() }]]),
      });
      return client(key);
    },
    sessionOf(roleName, sessionName, statements) {
      const arn = `arn:aws:iam::${ACCOUNT}:role/${roleName}`;
      const service = 'credentials.iot.amazonaws.com';
      const trust = { Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' };
      if (!identities.roles.has(roleName)) {
        identities.roles.set(roleName, {
          ...holder(arn, statements),
          roleName,
          roleId: `AROA${roleName}`,
          trustPolicy: JSON.stringify({ Version: '2012-10-17', Statement: [trust] }),
          maxSessionDuration: 3600,
        });
      }
      const principal = { Service: service };
      return client(identities.assumeRole({ roleArn: arn, principal, sessionName, durationSeconds: 3600 }));
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      clock.reset();
    },
  };
}
