import { strToU8, zipSync } from 'fflate';
import { type Clock, createClock } from '../../local/clock.ts';
import { createIam } from '../../local/iam/iam.ts';
import { createIdentities, type IdentityStore } from '../../local/iam/identities.ts';
import { createFunctions, type Functions } from '../../local/lambda/functions.ts';
import { createSqs, type Sqs } from '../../local/sqs.ts';

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';
export const arnOf = (name: string) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`;

export interface LambdaWorld {
  clock: Clock;
  identities: IdentityStore;
  functions: Functions;
  sqs: Sqs;
  logged: string[];
  /** Any operation of `lambda`, `iam` or `sqs`, as the account itself. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are the services' own.
  call(service: string, operation: string, input: object): Promise<any>;
  /** A function whose bundle is this source; it has a role that may do what the statements say. */
  create(name: string, source: string, options?: { statements?: object[]; [property: string]: unknown }): Promise<void>;
  close(): Promise<void>;
}

/** Lambda, IAM and SQS without a door: functions come from sources, run in real workers, under real roles. */
export function openLambda(): LambdaWorld {
  const clock = createClock();
  const identities = createIdentities({ clock, accountId: ACCOUNT });
  const sqs = createSqs({ clock, region: REGION, accountId: ACCOUNT });
  const logged: string[] = [];
  const functions = createFunctions({
    clock,
    identities,
    region: REGION,
    accountId: ACCOUNT,
    sqs,
    awsEndpoint: () => 'http://127.0.0.1:1',
    log: (name, text) => logged.push(`${name}: ${text}`),
    environmentsPerFunction: 3,
  });
  const services = new Map([functions.service, createIam({ identities, clock }), sqs].map((one) => [one.name, one]));

  const call: LambdaWorld['call'] = async (service, operation, input) =>
    services.get(service)?.operations[operation]?.(input, {
      service,
      operation,
      requestId: 'test',
      caller: identities.root,
    });

  return {
    clock,
    identities,
    functions,
    sqs,
    logged,
    call,
    async create(name, source, { statements = [], ...properties } = {}) {
      const trust = { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' };
      const { Role } = await call('iam', 'CreateRole', {
        RoleName: `${name}-role`,
        AssumeRolePolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [trust] }),
      });
      if (statements.length > 0) {
        await call('iam', 'PutRolePolicy', {
          RoleName: `${name}-role`,
          PolicyName: 'rights',
          PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: statements }),
        });
      }
      await call('lambda', 'CreateFunction', {
        FunctionName: name,
        Runtime: 'nodejs24.x',
        Handler: 'functions/it.handler',
        Role: Role.Arn,
        Code: { ZipFile: zipSync({ 'functions/it.mjs': strToU8(source) }) },
        ...properties,
      });
    },
    close: () => functions.close(),
  };
}
