import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, arnOf, type LambdaWorld, openLambda, REGION } from './lambda-world.ts';

let world: LambdaWorld;
beforeAll(() => {
  world = openLambda();
});
afterAll(() => world.close());

const invoke = (name: string, payload: unknown = {}) => world.functions.invoke({ functionArn: arnOf(name), payload });

describe('an execution environment', () => {
  it('gives the handler its event, its own variables, the credentials of its own role and a context', async () => {
    await world.create(
      'facts',
      `export const handler = async (event, context) => ({
        event, env: process.env, remaining: context.getRemainingTimeInMillis(), ...context });`,
      { Environment: { Variables: { TABLE: 'cameras', AWS_REGION: 'nowhere' } }, Timeout: 7, MemorySize: 256 },
    );
    const { payload, functionError } = await invoke('facts', { serial: 'CAM-1' });
    expect(functionError).toBeUndefined();
    expect(payload).toMatchObject({
      event: { serial: 'CAM-1' },
      functionName: 'facts',
      invokedFunctionArn: arnOf('facts'),
      memoryLimitInMB: '256',
      env: {
        TABLE: 'cameras',
        AWS_REGION: REGION,
        AWS_LAMBDA_FUNCTION_NAME: 'facts',
        AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      },
    });
    const { env, remaining, awsRequestId } = payload as {
      env: Record<string, string>;
      remaining: number;
      awsRequestId: string;
    };
    expect(remaining).toBeGreaterThan(0);
    expect(remaining).toBeLessThanOrEqual(7000);
    expect(awsRequestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(world.identities.find(env.AWS_ACCESS_KEY_ID as string)?.arn).toBe(
      `arn:aws:sts::${ACCOUNT}:assumed-role/facts-role/facts`,
    );
    expect(Object.keys(env)).not.toContain('HOME');
  });

  it('follows the clock of the stand-in, while it runs too', async () => {
    await world.create(
      'now',
      'export const handler = () => [Date.now(), new Date().getTime(), new Date(0).getTime()];',
    );
    await invoke('now');
    world.clock.advance(60);
    const { payload } = await invoke('now');
    world.clock.reset();
    const [now, date, zero] = payload as number[];
    expect((now as number) - Date.now()).toBeGreaterThan(50_000);
    expect((date as number) - Date.now()).toBeGreaterThan(50_000);
    expect(zero).toBe(0);
  });

  it('is used again when idle, and never for two invocations at once', async () => {
    await world.create(
      'counter',
      `let calls = 0, running = 0, most = 0;
       export const handler = async ({ hold }) => {
         calls += 1; most = Math.max(most, ++running);
         if (hold) await new Promise((done) => setTimeout(done, 50));
         running -= 1;
         return { calls, most };
       };`,
    );
    await invoke('counter');
    expect((await invoke('counter')).payload).toEqual({ calls: 2, most: 1 });
    const answers = await Promise.all(Array.from({ length: 8 }, () => invoke('counter', { hold: true })));
    const payloads = answers.map(({ payload }) => payload as { calls: number; most: number });
    expect(payloads.every(({ most }) => most === 1)).toBe(true);
    // Three at once is what this desk has room for: the others waited, and were answered.
    expect(new Set(payloads.map(({ calls }) => calls)).size).toBeGreaterThan(1);
  });

  it('is replaced before its credentials end', async () => {
    await world.create('key', 'export const handler = () => process.env.AWS_ACCESS_KEY_ID;');
    const { payload: first } = await invoke('key');
    expect((await invoke('key')).payload).toBe(first);
    world.clock.advance(56 * 60);
    const { payload: second } = await invoke('key');
    world.clock.reset();
    expect(second).not.toBe(first);
  });

  it('is replaced when the configuration changes', async () => {
    await world.create('configured', 'export const handler = () => process.env.COLOUR ?? null;');
    expect((await invoke('configured')).payload).toBeNull();
    await world.call('lambda', 'UpdateFunctionConfiguration', {
      FunctionName: 'configured',
      Environment: { Variables: { COLOUR: 'red' } },
    });
    expect((await invoke('configured')).payload).toBe('red');
  });
});

describe('a function that fails', () => {
  it('answers with its error, and goes on', async () => {
    await world.create(
      'failing',
      `let calls = 0;
       export const handler = async ({ how }) => {
         calls += 1;
         if (how === 'error') throw new TypeError('no such camera');
         if (how === 'text') throw 'plain text';
         return calls;
       };`,
    );
    expect(await invoke('failing', { how: 'error' })).toMatchObject({
      functionError: 'Unhandled',
      payload: { errorType: 'TypeError', errorMessage: 'no such camera' },
    });
    expect(await invoke('failing', { how: 'text' })).toMatchObject({
      functionError: 'Unhandled',
      payload: { errorType: 'string', errorMessage: 'plain text' },
    });
    expect((await invoke('failing')).payload).toBe(3);
  });

  it('is timed out', async () => {
    await world.create('endless', 'export const handler = () => new Promise((done) => setTimeout(done, 60_000));', {
      Timeout: 1,
    });
    expect(await invoke('endless')).toMatchObject({
      functionError: 'Unhandled',
      payload: { errorType: 'Sandbox.Timedout', errorMessage: expect.stringContaining('timed out after 1.00 seconds') },
    });
  });

  it.each([
    ['process.exit(3)', 'Runtime.ExitError', 'exit status 3'],
    ['setImmediate(() => { throw new RangeError("late"); }); await new Promise(() => {})', 'RangeError', 'late'],
    ['Promise.reject(new SyntaxError("forgotten")); await new Promise(() => {})', 'SyntaxError', 'forgotten'],
  ])('that ends its process (%s) gets a new one', async (body, errorType, message) => {
    const name = `crash-${errorType.replace('.', '-')}`;
    await world.create(name, `export const handler = async ({ ok }) => { if (ok) return 'alive'; ${body}; };`);
    expect(await invoke(name)).toMatchObject({
      functionError: 'Unhandled',
      payload: { errorType, errorMessage: expect.stringContaining(message) },
    });
    expect(await invoke(name, { ok: true })).toEqual({ payload: 'alive' });
  });

  it.each([
    ['throws at load', 'throw new Error("environment variable TABLE is missing");', 'Error', 'TABLE is missing'],
    ['exports no handler', 'export const other = 1;', 'Runtime.HandlerNotFound', 'functions/it.handler is undefined'],
  ])('because its bundle %s says so each time', async (how, source, errorType, message) => {
    const name = how.replaceAll(' ', '-');
    await world.create(name, source);
    const failure = {
      functionError: 'Unhandled',
      payload: { errorType, errorMessage: expect.stringContaining(message) },
    };
    expect(await invoke(name)).toMatchObject(failure);
    expect(await invoke(name)).toMatchObject(failure);
  });

  it('is ended by kill in the middle of its work', async () => {
    await world.create(
      'victim',
      `export const handler = ({ hold }) => {
         console.log('key ' + process.env.AWS_ACCESS_KEY_ID);
         return hold ? new Promise((done) => setTimeout(done, 60_000)) : 'alive';
       };`,
      { Timeout: 30 },
    );
    const answer = invoke('victim', { hold: true });
    const key = await expect
      .poll(() => world.logged.join('').match(/victim: key (\w+)/)?.[1], { timeout: 10_000 })
      .toBeDefined()
      .then(() => world.logged.join('').match(/victim: key (\w+)/)?.[1] as string);
    world.functions.kill(key);
    expect(await answer).toMatchObject({ functionError: 'Unhandled', payload: { errorType: 'Runtime.ExitError' } });
    expect(await invoke('victim')).toEqual({ payload: 'alive' });
  });
});

describe('Lambda', () => {
  it('lets a service in only by the function’s own policy', async () => {
    await world.create('guarded', 'export const handler = () => "in";');
    const sourceArn = `arn:aws:iot:${REGION}:${ACCOUNT}:provisioningtemplate/claim`;
    const source = { service: 'iot.amazonaws.com', sourceArn, sourceAccount: ACCOUNT };
    const asSource = (changes: object) =>
      world.functions.invoke({ functionArn: arnOf('guarded'), payload: {}, source: { ...source, ...changes } });
    await expect(asSource({})).rejects.toMatchObject({ code: 'AccessDeniedException', status: 403 });

    await world.call('lambda', 'AddPermission', {
      FunctionName: arnOf('guarded'),
      StatementId: 'iot',
      Action: 'lambda:InvokeFunction',
      Principal: 'iot.amazonaws.com',
      SourceArn: sourceArn,
      SourceAccount: ACCOUNT,
    });
    expect(await asSource({})).toEqual({ payload: 'in' });
    await expect(asSource({ sourceArn: `${sourceArn}-of-others` })).rejects.toThrow('is not authorized to perform');
    await expect(asSource({ sourceAccount: '111111111111' })).rejects.toThrow('is not authorized to perform');
    await expect(asSource({ service: 'apigateway.amazonaws.com' })).rejects.toThrow('is not authorized to perform');

    await world.call('lambda', 'RemovePermission', { FunctionName: 'guarded', StatementId: 'iot' });
    await expect(asSource({})).rejects.toThrow('is not authorized to perform');
  });

  it('takes no role that does not trust it', async () => {
    const { Role } = await world.call('iam', 'CreateRole', {
      RoleName: 'of-others',
      AssumeRolePolicyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: { Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' },
      }),
    });
    await expect(world.create('unfit', 'export const handler = () => 1;', { Role: Role.Arn })).rejects.toMatchObject({
      code: 'InvalidParameterValueException',
      message: 'The role defined for the function cannot be assumed by Lambda.',
    });
  });

  it('throttles past a reserved concurrency', async () => {
    await world.create('reserved', 'export const handler = () => new Promise((done) => setTimeout(done, 200));');
    await world.call('lambda', 'PutFunctionConcurrency', { FunctionName: 'reserved', ReservedConcurrentExecutions: 1 });
    const first = invoke('reserved');
    await expect(invoke('reserved')).rejects.toMatchObject({ code: 'TooManyRequestsException', status: 429 });
    await first;
  });

  it('knows what it does not have', async () => {
    await expect(invoke('nobody')).rejects.toMatchObject({
      code: 'ResourceNotFoundException',
      message: `Function not found: ${arnOf('nobody')}`,
    });
    const notJson = world.call('lambda', 'Invoke', { FunctionName: 'facts', Payload: Buffer.from('{') });
    await expect(notJson).rejects.toMatchObject({ code: 'InvalidRequestContentException' });
  });

  it('is put back by a reset, with nothing running', async () => {
    const before = await world.functions.service.snapshot();
    await world.create('later', 'export const handler = () => 1;');
    await world.functions.service.restore(before);
    await expect(invoke('later')).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
    expect((await invoke('facts')).functionError).toBeUndefined();
  });
});
