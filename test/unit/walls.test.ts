import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const FORBIDDEN: [file: string, target: string][] = [
  ['functions/get-device.ts', '../local/clock.ts'],
  ['functions/get-device.ts', '../shared/domain/device.ts'],
  ['functions/get-device.ts', '@aws-sdk/client-iot'],
  ['functions/get-device.ts', './list-claims.ts'],
  ['functions/get-device.ts', '../shared/signing-request.ts'],
  ['functions/get-device.ts', '../test/until.ts'],
  ['shared/domain/device.ts', '../flow/claim.ts'],
  ['shared/domain/device.ts', 'node:crypto'],
  ['shared/flow/claim.ts', '../aws/iot.ts'],
  ['shared/flow/claim.ts', '@aws-sdk/client-iot'],
  ['shared/flow/claim.ts', '../edge/http.ts'],
  ['shared/flow/claim.ts', '../../test/until.ts'],
  ['shared/flow/claim.ts', '../../bench/bundle.ts'],
  ['shared/aws/iot.ts', '../flow/claim.ts'],
  ['shared/aws/iot.ts', '../signing-request.ts'],
  ['shared/aws/iot.ts', '../../test/until.ts'],
  ['shared/edge/http.ts', '../aws/iot.ts'],
  ['shared/edge/http.ts', '../signing-request.ts'],
  ['shared/edge/http.ts', '../../test/until.ts'],
  ['shared/keys.ts', './aws/iot.ts'],
  ['local/door.ts', '../shared/domain/device.ts'],
  ['local/door.ts', '../test/until.ts'],
  ['local/iot/registry.ts', '../../shared/domain/device.ts'],
  ['local/iot/registry.ts', '../../bench/bundle.ts'],
  ['local/iot/broker.ts', './provisioning.ts'],
  ['local/iot/broker.ts', '../../test/until.ts'],
  ['local/iot/credentials.ts', './control-plane.ts'],
  ['camera/boot.ts', '../shared/domain/device.ts'],
  ['camera/boot.ts', '../local/clock.ts'],
  ['cli/camera.ts', '../local/stand-in.ts'],
  ['cli/camera.ts', '../shared/flow/claim.ts'],
  ['cli/camera.ts', '../test/until.ts'],
  ['cli/camera.ts', '../bench/bundle.ts'],
  ['cli/local.ts', '../shared/flow/claim.ts'],
  ['cli/local.ts', '../test/until.ts'],
  ['cli/local.ts', '../bench/bundle.ts'],
  ['test/e2e/first-boot.test.ts', '../../local/stand-in.ts'],
  ['test/conformance/iot.test.ts', '../../camera/boot.ts'],
];

const ALLOWED: [file: string, target: string][] = [
  ['functions/get-device.ts', '../shared/flow/read-device.ts'],
  ['shared/domain/device.ts', 'zod/mini'],
  ['shared/domain/device.ts', './failure.ts'],
  ['shared/flow/claim.ts', '../domain/device.ts'],
  ['shared/flow/claim.ts', '../signing-request.ts'],
  ['shared/aws/iot.ts', '@aws-sdk/client-iot'],
  ['local/iot/broker.ts', './registry.ts'],
  ['cli/local.ts', '../local/stand-in.ts'],
  ['cli/manifest.ts', '../shared/domain/manifest.ts'],
  ['cli/camera.ts', '../camera/boot.ts'],
];

/** A planted file holds all imports of its path, one a line, so that the line number tells which one was refused. */
const planted = Map.groupBy([...FORBIDDEN, ...ALLOWED], ([file]) => file);
let folder: string;
let refused: Set<string>;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'walls-')));
  await copyFile('biome.json', join(folder, 'biome.json'));
  for (const [file, imports] of planted) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(
      join(folder, file),
      imports.map(([, target], i) => `import * as i${i} from '${target}';\n`).join(''),
    );
  }
  const report = await new Promise<string>((done) =>
    execFile(
      process.execPath,
      [
        resolve('node_modules/@biomejs/biome/bin/biome'),
        'lint',
        '--only=style/noRestrictedImports',
        '--vcs-enabled=false',
        '--reporter=github',
        '--max-diagnostics=none',
      ],
      { cwd: folder },
      (_, stdout) => done(stdout),
    ),
  );
  refused = new Set(
    [...report.matchAll(/file=([^,]+),line=(\d+)/g)].map(
      ([, file = '', line]) => `${relative(folder, resolve(folder, file))}:${line}`,
    ),
  );
});

afterAll(() => rm(folder, { recursive: true }));

const place = (file: string, target: string) =>
  `${file}:${(planted.get(file) ?? []).findIndex(([, planted]) => planted === target) + 1}`;

test.each(FORBIDDEN)('%s may not import %s', (file, target) => expect(refused).toContain(place(file, target)));
test.each(ALLOWED)('%s may import %s', (file, target) => expect(refused).not.toContain(place(file, target)));
