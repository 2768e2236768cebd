import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { UpdateCertificateCommand } from '@aws-sdk/client-iot';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { tellStandIn } from '../admin.ts';
import { startDriftWorld } from '../drift-world.ts';
import { atRun, firstlight, startFirstlight } from '../firstlight.ts';
import { until } from '../until.ts';

vi.setConfig({ testTimeout: 60_000 });

/** `firstlight reconcile`, as ops types it. */
const world = await startDriftWorld();
const { outputs } = world;
const args = (...more: string[]) => ['reconcile', ...more, ...atRun(outputs)];
const reconcile = (...more: string[]) => firstlight(args(...more));
const inject = (...faults: object[]) => tellStandIn(outputs.aws, 'faults', { faults });
afterEach(() => inject());

const camera = await world.living();
const { serialNumber, certificateId } = camera;

test('of a fleet that is well it says so', async () => {
  expect(await reconcile()).toMatchObject({ code: 0, stdout: '0 would be mended, 0 left, 0 failed.\n', stderr: '' });
});

test('by itself it says what would be done; with --apply it is done', async () => {
  await world.detachPolicy(camera);
  const rehearsed = await reconcile();
  expect(rehearsed).toMatchObject({ code: 1, stderr: '' });
  expect(rehearsed.stdout).toMatch(/^Would be mended\n/);
  expect(rehearsed.stdout).toContain('a certificate has lost the device policy');
  expect(rehearsed.stdout).toContain(serialNumber);
  expect(rehearsed.stdout).toMatch(
    /\n1 would be mended, 0 left, 0 failed\. Nothing was written: --apply mends it\.\n$/,
  );
  expect(await world.power(certificateId)).toMatchObject({ policies: [] });

  const applied = await reconcile('--apply');
  expect(applied).toMatchObject({ code: 0, stderr: '' });
  expect(applied.stdout).toMatch(/^Mended\n/);
  expect(applied.stdout).toMatch(/\n1 mended, 0 left, 0 failed\.\n$/);
  expect(await world.power(certificateId)).toMatchObject({ policies: [world.policyName] });
  expect((await reconcile('--apply')).stdout).toBe('0 mended, 0 left, 0 failed.\n');
});

test('what somebody has to decide is told with the reason, and as JSON', async () => {
  const status = (newStatus: 'ACTIVE' | 'INACTIVE') =>
    world.aws().iot.send(new UpdateCertificateCommand({ certificateId, newStatus }));
  await status('INACTIVE');
  const { code, stdout } = await reconcile('--apply');
  expect(code).toBe(1);
  expect(stdout).toContain('Left for you to decide');
  expect(stdout).toContain('somebody made it so at AWS');
  const json = await reconcile('--json', '--thorough');
  expect(json.code).toBe(1);
  expect(json.json()).toEqual({
    dryRun: true,
    looked: 0,
    done: {},
    left: { 'certificate-inactive': 1 },
    raced: 0,
    failed: {},
    findings: [
      { what: 'certificate-inactive', of: serialNumber, outcome: 'left', why: expect.stringContaining('suspend') },
    ],
    unlisted: 0,
    complete: true,
  });
  // No other part looks at devices.
  expect(await reconcile('--only', 'power')).toMatchObject({ code: 0 });
  await status('ACTIVE');
});

describe('what stands in the way', () => {
  test('keys that may not run it are told who may', async () => {
    const refused = await reconcile('--as', 'auditor');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(/^firstlight: these keys may not run it; .*operator lets them.*InvokeFunction/);
  });

  test('a stack that is not there, in one line', async () => {
    const refused = await reconcile('--stage', 'nowhere', '--as', 'admin');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(/^firstlight: firstlight-nowhere-reconcile cannot be run: Function not found.*\n$/);
  });

  test.each([
    ['--only', 'everything'],
    ['--aply', ''],
  ])('%s %s is refused before anything is asked', async (...wrong) => {
    expect((await firstlight(args(...wrong.filter(Boolean)))).code).not.toBe(0);
  });

  test('a part that AWS refuses again and again ends it, with what it has found', async () => {
    await world.detachPolicy(camera);
    await inject({ service: 'iot', operation: 'ListThings', kind: 'error' });
    const stuck = await reconcile('--apply');
    expect(stuck).toMatchObject({ code: 1 });
    expect(stuck.stdout).toContain('a part could not be looked at');
    expect(stuck.stderr).toContain('it does not get on');
    await inject();
    expect(await reconcile('--apply')).toMatchObject({ code: 0 });
  });
});

test('Ctrl-C ends it with what it has found so far', async () => {
  await inject({ service: 'iot', operation: 'ListThings', kind: 'delay', ms: 20_000 });
  const run = startFirstlight(args('--apply'));
  const [stdout, stderr] = [text(run.stdout), text(run.stderr)];
  await until('the function to hang', async () => {
    const asked = await fetch(`${outputs.aws}/_firstlight/faults`);
    const { faults } = (await asked.json()) as { faults: { struck: number }[] };
    return faults[0]?.struck === 1;
  });
  run.kill('SIGINT');
  const [code] = await once(run, 'close');
  expect(code).toBe(130);
  expect(await stdout).toBe('');
  expect(await stderr).toContain('stopped; what the function has begun it ends within a minute');
});
