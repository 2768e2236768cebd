import { expect } from 'vitest';
import { type Clock, createClock } from '../../local/clock.ts';
import { createIam } from '../../local/iam/iam.ts';
import { createIdentities, type Identity, type IdentityStore } from '../../local/iam/identities.ts';
import { createSts } from '../../local/iam/sts.ts';
import type { Call, Service } from '../../local/service.ts';

export const ACCOUNT = '000000000000';
export const trust = (Principal: unknown, Condition?: unknown) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole', ...(Condition ? { Condition } : {}) }],
  });
export const policy = (Action: string | string[], Resource = '*', Effect = 'Allow', Condition?: unknown) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect, Action, Resource, ...(Condition ? { Condition } : {}) }],
  });
export const CAMERAS = { Service: 'credentials.iot.amazonaws.com' };

/** One account for each test; a test file says `beforeEach(openAccount)`. */
export let clock: Clock;
export let identities: IdentityStore;
export let iam: Service;
export let sts: Service;

export function openAccount(): void {
  clock = createClock();
  identities = createIdentities({ clock, accountId: ACCOUNT });
  iam = createIam({ identities, clock });
  sts = createSts({ identities });
}

// biome-ignore lint/suspicious/noExplicitAny: answers are read by the assertions.
export const run = (service: Service, operation: string, input: object, caller: Identity = identities.root): any => {
  const call: Call = { service: service.name, operation, requestId: 'r', caller };
  return service.operations[operation]?.(input, call);
};
export const code = (code: string, status?: number) => expect.objectContaining({ code, ...(status && { status }) });
export const user = (UserName: string, ...documents: string[]): Identity => {
  run(iam, 'CreateUser', { UserName });
  for (const [index, PolicyDocument] of documents.entries()) {
    run(iam, 'PutUserPolicy', { UserName, PolicyName: `p${index}`, PolicyDocument });
  }
  const { AccessKey } = run(iam, 'CreateAccessKey', { UserName });
  return identities.find(AccessKey.AccessKeyId) as Identity;
};
export const role = (RoleName: string, AssumeRolePolicyDocument: string, ...documents: string[]): string => {
  const { Role } = run(iam, 'CreateRole', { RoleName, AssumeRolePolicyDocument });
  for (const [index, PolicyDocument] of documents.entries()) {
    run(iam, 'PutRolePolicy', { RoleName, PolicyName: `p${index}`, PolicyDocument });
  }
  return Role.Arn;
};
export const assume = (roleArn: string, more = {}) =>
  identities.assumeRole({ roleArn, principal: CAMERAS, sessionName: 'cam', durationSeconds: 3600, ...more });
export const may = (who: Identity, action: string, resource = '*', context = {}) => {
  try {
    identities.authorize(who, [{ action, resource, context }]);
    return true;
  } catch (error) {
    expect(error).toEqual(code('AccessDeniedException', 403));
    return false;
  }
};
