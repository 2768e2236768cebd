import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const IMPORT = 'const from = performance.now(); await import(process.argv[1]); console.log(performance.now() - from);';

/** Milliseconds that a new process takes to import a whole bundle, as Lambda's init phase does. Node's own start is not counted. */
export async function importTime(file: string, environment: Record<string, string>): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', IMPORT, '--', file], {
    // Nothing of ours leaks in: a compile cache in the environment would make every import after the first one cheap.
    env: {
      ...environment,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'bench',
      AWS_SECRET_ACCESS_KEY: 'bench',
      AWS_SESSION_TOKEN: 'bench',
    },
  });
  return Number(stdout);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = low] = sorted.slice(sorted.length % 2 === 0 ? middle - 1 : middle, middle + 1);
  return (low + high) / 2;
}
