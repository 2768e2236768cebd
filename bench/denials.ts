/**
 * `npm run bench:denials`: how long each kind of denial of `POST /claims` takes, as a stranger would measure it. Ends with 1 if the medians
 * are not within 20 % of each other, or an answer is not the very same.
 */
import { parseArgs, styleText } from 'node:util';
import { CreateThingCommand } from '@aws-sdk/client-iot';
import { CreateStreamCommand } from '@aws-sdk/client-kinesis-video';
import Table from 'cli-table3';
import { awsClients } from '../test/aws-clients.ts';
import { announce, newSerial } from '../test/camera-claim.ts';
import { makeDeviceKey } from '../test/device-key.ts';
import { createHttpApi } from '../test/http-api.ts';
import { announceWithKey, cameraOf, claimOverHttps, newToken, sayConnected } from '../test/https-camera.ts';
import { type Outputs, startLocalRun } from '../test/local-run.ts';
import { packageIfStale } from './bundle.ts';
import { median } from './import-time.ts';

const WITHIN = 0.2;
/** API Gateway lets 15 a second through to this route. */
const SIDE_BY_SIDE = 3;
/** After so many wrong tokens for a serial number none is looked at, which is a kind of its own. */
const TOKENS_AN_HOUR = 10;

type Claim = Parameters<typeof claimOverHttps>[1];

/** What a stranger may run into; `claim` gives the next one to send. */
interface Kind {
  name: string;
  claim(call: number): Claim;
  milliseconds: number[];
}

const { values } = parseArgs({ options: { calls: { type: 'string', default: '200' } } });
const calls = Number(values.calls);
await packageIfStale();
const run = await startLocalRun();
try {
  const kinds = await prepare(run.outputs);
  const answers = await measure(run.outputs, kinds);
  process.exitCode = report(kinds, answers) ? 0 : 1;
} finally {
  await run.stop();
}

async function prepare(outputs: Outputs): Promise<Kind[]> {
  const { iot, kinesisVideo } = awsClients(outputs, outputs.personas.admin);
  const { certificateSigningRequest } = await makeDeviceKey();
  const claimToken = newToken();
  const announced = async (row: object = {}) => {
    const serialNumber = newSerial();
    await announce(outputs, { serialNumber, ...row });
    return serialNumber;
  };
  const operator = createHttpApi(outputs, outputs.personas.operator);
  /** A camera whose key is pinned, of which ops has done this. */
  const pinned = async (...acts: string[]): Promise<Claim> => {
    const { publicKeySha256, ...key } = await makeDeviceKey();
    const serialNumber = await announced({ publicKeySha256 });
    for (const act of acts) {
      const { status } = await operator.post(`/devices/${serialNumber}/${act}`, {});
      if (status !== 200) throw new Error(`${act}: ${status}`);
    }
    return { serialNumber, certificateSigningRequest: key.certificateSigningRequest };
  };
  const one = (name: string, serialNumber: string, more: Partial<Claim> = {}): Kind => ({
    name,
    claim: () => ({ serialNumber, certificateSigningRequest, ...more }),
    milliseconds: [],
  });
  const its = (name: string, claim: Claim): Kind => one(name, claim.serialNumber, claim);

  const wrong = await Promise.all(
    Array.from({ length: Math.ceil(calls / TOKENS_AN_HOUR) }, () => announced({ claimToken: newToken() })),
  );
  const tired = await announced({ claimToken });
  for (let n = 0; n < TOKENS_AN_HOUR; n++) {
    await claimOverHttps(outputs, { serialNumber: tired, certificateSigningRequest, claimToken: newToken() });
  }
  const spent = await announceWithKey(outputs, { claimToken });
  const camera = cameraOf(await claimOverHttps(outputs, claimOf(spent, claimToken)), spent.privateKeyPem);
  await sayConnected(outputs, camera);
  const [foreignThing, foreignStream] = [await pinned(), await announced({ claimToken })];
  await iot.send(new CreateThingCommand({ thingName: foreignThing.serialNumber }));
  await kinesisVideo.send(new CreateStreamCommand({ StreamName: foreignStream }));

  return [
    one('a serial number that nobody announced', newSerial()),
    { ...one('another one each time', ''), claim: () => ({ serialNumber: newSerial(), certificateSigningRequest }) },
    one('neither pin nor token in the manifest', await announced()),
    one('another key than the pinned one', await announced({ publicKeySha256: 'ab'.repeat(32) })),
    one('no token, where there is one', await announced({ claimToken })),
    {
      ...one('a wrong token', '', { claimToken: newToken() }),
      claim: (call) => ({
        serialNumber: wrong[Math.floor(call / TOKENS_AN_HOUR)] as string,
        certificateSigningRequest,
        claimToken: newToken(),
      }),
    },
    one('a token after ten wrong ones', tired, { claimToken }),
    one('a spent token', spent.serialNumber, { claimToken }),
    its('a suspended device', await pinned('suspend')),
    its('a retired device', await pinned('retire')),
    its("somebody else's thing", foreignThing),
    one("somebody else's stream", foreignStream, { claimToken }),
  ];
}

function claimOf({ serialNumber, certificateSigningRequest }: Claim, claimToken: string): Claim {
  return { serialNumber, certificateSigningRequest, claimToken };
}

/** Every kind once a round, there and back again: a machine that grows slow is slow for all of them. */
async function measure(outputs: Outputs, kinds: Kind[]): Promise<Set<string>> {
  const answers = new Set<string>();
  const waiting = Array.from({ length: calls }, (_, call) =>
    (call % 2 === 0 ? kinds : kinds.toReversed()).map((kind) => ({ kind, call })),
  ).flat();
  const total = waiting.length;
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const claim = next.kind.claim(next.call);
      const from = performance.now();
      const { status, body } = await claimOverHttps(outputs, claim);
      next.kind.milliseconds.push(performance.now() - from);
      answers.add(`${status} ${JSON.stringify(body)}`);
      if (process.stderr.isTTY) process.stderr.write(`\r${total - waiting.length} of ${total}`);
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return answers;
}

function report(kinds: Kind[], answers: Set<string>): boolean {
  const table = new Table({
    head: ['denied', 'calls', 'median ms', '10 % ms', '90 % ms'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  const medians = kinds.map(({ name, milliseconds }) => {
    const sorted = milliseconds.toSorted((a, b) => a - b);
    const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(0);
    const middle = median(milliseconds);
    table.push([name, sorted.length, middle.toFixed(1), at(0.1), at(0.9)]);
    return middle;
  });
  console.log(table.toString());
  const apart = Math.max(...medians) / Math.min(...medians) - 1;
  const isAlike = answers.size === 1;
  const isWithin = apart <= WITHIN;
  console.log(isAlike ? `Every answer was ${[...answers][0]}` : `There were ${answers.size} different answers:`);
  if (!isAlike) for (const answer of answers) console.log(`  ${answer}`);
  const words = `The medians are ${(apart * 100).toFixed(1)} % apart; ${WITHIN * 100} % is the bound.`;
  console.log(styleText(isWithin ? 'green' : 'red', words));
  return isWithin && isAlike;
}
