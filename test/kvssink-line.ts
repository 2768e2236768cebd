import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

export interface KvssinkCommand {
  environment: Record<string, string | undefined>;
  /** The elements of the pipeline, each as its words. */
  pipeline: string[][];
  /** Those of kvssink. */
  properties: Record<string, string>;
  /** The keys and values of its `iot-certificate`. */
  iotCertificate: Record<string, string>;
}

const SHOW = `#!${process.execPath}
const { CONTROL_PLANE_URI, AWS_DEFAULT_REGION } = process.env;
console.log(JSON.stringify({ environment: { CONTROL_PLANE_URI, AWS_DEFAULT_REGION }, words: process.argv.slice(2) }));
`;

/** What `gst-launch-1.0` is told when somebody pastes this line into bash. */
export async function pasteKvssinkLine(line: string): Promise<KvssinkCommand> {
  const folder = await mkdtemp(join(tmpdir(), 'firstlight-gst-'));
  try {
    await writeFile(join(folder, 'gst-launch-1.0'), SHOW, { mode: 0o755 });
    const { PATH = '' } = process.env;
    const env = { PATH: `${folder}${delimiter}${PATH}` };
    const { stdout } = await promisify(execFile)('bash', ['-c', line], { env });
    const { environment, words } = JSON.parse(stdout) as { environment: Record<string, string>; words: string[] };
    const pipeline = elements(words.filter((word) => !/^-\w$/.test(word)));
    const properties = pairs((pipeline.at(-1) ?? []).slice(1));
    // GstStructure: a name, then `key=value` by commas.
    const [, ...fields] = (properties['iot-certificate'] ?? '').split(',');
    return { environment, pipeline, properties, iotCertificate: pairs(fields) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function elements(words: string[]): string[][] {
  const found: string[][] = [[]];
  for (const word of words) {
    if (word === '!') found.push([]);
    else found.at(-1)?.push(word);
  }
  return found;
}

const pairs = (words: string[]): Record<string, string> =>
  Object.fromEntries(words.map((word) => [word.split('=', 1)[0] ?? '', word.slice(word.indexOf('=') + 1)]));
