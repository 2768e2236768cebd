import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { unzipSync } from 'fflate';

const REPOSITORY = join(import.meta.dirname, '..');
const PACKAGE = join(REPOSITORY, '.serverless');
const TEMPLATE = join(PACKAGE, 'cloudformation-template-update-stack.json');

/** A function as the compiled template names it. */
export interface PackagedFunction {
  /** `provisioningHook` */
  key: string;
  /** `functions/provisioning-hook` */
  path: string;
  /** A value for each variable that it reads while it loads; where the template has an intrinsic function, any. */
  environment: Record<string, string>;
  /** The services that its role lets it call, by their IAM prefixes. */
  services: string[];
}

/** `serverless package`, offline, unless nothing that goes into a bundle has changed since the last time. */
export async function packageIfStale(): Promise<void> {
  const packaged = await stat(TEMPLATE).catch(() => undefined);
  const folders = ['functions', 'shared'].map((name) => join(REPOSITORY, name));
  const entries = await Promise.all(folders.map((path) => readdir(path, { recursive: true, withFileTypes: true })));
  const sources = entries.flat().map(({ parentPath, name }) => join(parentPath, name));
  const changes = [...sources, ...['serverless.yml', 'package-lock.json'].map((name) => join(REPOSITORY, name))];
  const newest = Math.max(...(await Promise.all(changes.map((file) => stat(file)))).map(({ mtimeMs }) => mtimeMs));
  if (!packaged || packaged.mtimeMs < newest) await packageService();
}

/** Bundles depend on no stage; this one is what the local run boots. */
async function packageService(): Promise<void> {
  const serverless = createRequire(import.meta.url).resolve('serverless/bin/serverless.js');
  await promisify(execFile)(process.execPath, [serverless, 'package', '--stage', 'local'], { cwd: REPOSITORY });
}

export async function packagedFunctions(): Promise<PackagedFunction[]> {
  const { Resources } = JSON.parse(await readFile(TEMPLATE, 'utf8')) as { Resources: Record<string, Resource> };
  return Object.values(Resources)
    .filter(({ Type }) => Type === 'AWS::Lambda::Function')
    .map(({ Properties: { Code, Handler, Environment, Role } }) => ({
      key: keyOf(Code.S3Key),
      path: Handler.replace(/\.[^.]+$/, ''),
      environment: Object.fromEntries(
        Object.entries(Environment?.Variables ?? {}).map(([name, value]) => [
          name,
          typeof value === 'string' ? value : name,
        ]),
      ),
      services: servicesOf(Resources[Role['Fn::GetAtt'][0]]),
    }));
}

/** Of a function or of a role, as serverless writes them. */
interface Resource {
  Type: string;
  Properties: {
    Code: { S3Key: string };
    Handler: string;
    Environment?: { Variables: Record<string, unknown> };
    Role: { 'Fn::GetAtt': [string, 'Arn'] };
    Policies?: { PolicyDocument: { Statement: { Action: string | string[] }[] } }[];
  };
}

function servicesOf(role: Resource | undefined): string[] {
  const statements = role?.Properties.Policies?.flatMap(({ PolicyDocument }) => PolicyDocument.Statement) ?? [];
  const prefixes = statements.flatMap(({ Action }) => Action).map((action) => action.replace(/:.*/, ''));
  return [...new Set(prefixes)].sort();
}

const keyOf = (s3Key: string): string => /([^/]+)\.zip$/.exec(s3Key)?.[1] ?? '';

/** The bundle that is uploaded, out of its zip. */
export async function shippedBundle({ key, path }: Pick<PackagedFunction, 'key' | 'path'>): Promise<Uint8Array> {
  const files = unzipSync(await readFile(join(PACKAGE, `${key}.zip`)));
  const bundle = files[`${path}.mjs`];
  if (!bundle) throw new Error(`${key}.zip holds no ${path}.mjs`);
  return bundle;
}

/**
 * The same code as esbuild bundles it when it is told nothing but "for Node": CommonJS, not minified, with the CommonJS builds of the SDK
 * and its whole chain of credential providers.
 */
export async function defaultBundle({ path }: Pick<PackagedFunction, 'path'>): Promise<Uint8Array> {
  const entryPoints = [join(REPOSITORY, `${path}.ts`)];
  const { outputFiles } = await build({ entryPoints, bundle: true, platform: 'node', write: false });
  const [bundle] = outputFiles;
  if (!bundle) throw new Error(`esbuild made nothing of ${path}.ts`);
  return bundle.contents;
}
