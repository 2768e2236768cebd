import { execFileSync } from 'node:child_process';

/** What some tests need of a machine beside Node. */
type Tool = 'bash' | 'curl' | 'curl --aws-sigv4' | 'jq' | 'openssl' | 'python3 with botocore' | 'the AWS CLI';

/** True if it is installed, else what is wrong with it, in words. */
const CHECKS: Record<Tool, () => true | string> = {
  bash: () => isThere('bash', '--version'),
  curl: () => isThere('curl', '--version'),
  'curl --aws-sigv4': () => atLeast('curl', /^curl (\d+)\.(\d+)/, 'signs every request rightly', [7, 86]),
  jq: () => isThere('jq', '--version'),
  openssl: () => isThere('openssl', 'version'),
  'python3 with botocore': () => isThere('python3', '-c', 'import botocore; print(botocore.__version__)'),
  // AWS SDKs and Tools guide, "Service-specific endpoints": from these on.
  'the AWS CLI': () => atLeast('aws', /aws-cli\/(\d+)\.(\d+)/, 'knows AWS_ENDPOINT_URL', [1, 29], [2, 13]),
};

/**
 * For `test.skipIf`: what this machine lacks to do `what`, said aloud; undefined if it lacks nothing. With REQUIRE_TOOLS=1 in the
 * environment it throws instead.
 */
export function lacking(what: string, ...tools: Tool[]): string | undefined {
  const wrong = tools.flatMap((tool) => {
    const there = CHECKS[tool]();
    return there === true ? [] : [`${tool}: ${there}`];
  });
  if (wrong.length === 0) return undefined;
  const lack = wrong.join(', ');
  if (process.env.REQUIRE_TOOLS === '1') throw new Error(`${what} cannot be tested here, and REQUIRE_TOOLS=1: ${lack}`);
  console.warn(`SKIPPED: ${what} (${lack}; REQUIRE_TOOLS=1 makes it an error)`);
  return lack;
}

function printed(program: string, ...args: string[]): string | undefined {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}

const isThere = (program: string, ...args: string[]) => printed(program, ...args) !== undefined || 'not installed';

/** Of the least versions the one of the same major counts; a later major will do. */
function atLeast(program: string, pattern: RegExp, since: string, ...least: [major: number, minor: number][]) {
  const [version, major, minor] = pattern.exec(printed(program, '--version') ?? '') ?? [];
  if (version === undefined) return 'not installed';
  const enough = least.some(([oldest, from]) => Number(major) === oldest && Number(minor) >= from);
  const later = Number(major) > Math.max(...least.map(([oldest]) => oldest));
  return enough || later || `${major}.${minor} is too old, ${least.map((one) => one.join('.')).join(' or ')} ${since}`;
}
