import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { styleText } from 'node:util';
import type { Command } from 'commander';
import { createApi } from './api.ts';
import { connectStack, type StackFlags, withStack } from './connect.ts';
import { openAws } from './doctor/aws.ts';
import { exchangeLink, type Held } from './doctor/device/exchange.ts';
import { deviceLinks } from './doctor/device/links.ts';
import { type DevicePatient, readRecord } from './doctor/device/record.ts';
import { type Checked, checkAll, type Finding, type Link, type Verdict } from './doctor/link.ts';
import { stackLinks } from './doctor/links.ts';
import type { Patient } from './doctor/patient.ts';
import { readStack } from './doctor/stack.ts';
import { CommandFailed, exitCodes, orOneLine } from './failure.ts';
import { printJson } from './table.ts';

interface Flags extends StackFlags {
  certificate?: string;
  key?: string;
  ca?: string;
  json?: true;
}

export function register(program: Command): void {
  withStack(program.command('doctor'), 'admin')
    .description(
      "Look at every link from a camera's first boot to its first frame, and say what is broken and how to mend it.",
    )
    .argument('[SERIAL]', 'a device, whose record, thing, certificates and streams are looked at as well')
    .option('--certificate <file>', "the device's certificate: asks AWS for credentials as the camera does")
    .option('--key <file>', 'its private key')
    .option('--ca <file>', "CA of AWS IoT's endpoints (default: the local run's, or the public ones)")
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
It reads and changes nothing. What you may not read is "not checked"; the stack's managed policy doctor holds all that is needed.
Exit code: 0 nothing is broken, 1 something is, 2 it could not look.

Examples:
  firstlight doctor --stage prod
  firstlight doctor CAM-0001 --as auditor
  firstlight doctor CAM-0001 --certificate CAM-0001/certificate.pem --key CAM-0001/private.key
  firstlight doctor --json | jq '.links[] | select(.verdict == "broken")'`,
    )
    .action((serialNumber: string | undefined, flags: Flags) => orOneLine(() => examine(serialNumber, flags)));
}

async function examine(serialNumber: string | undefined, flags: Flags): Promise<void> {
  const held = heldFrom(serialNumber, flags);
  const { stackName, caPath, ...settings } = await connectStack(flags, 'admin');
  const aws = openAws(settings);
  try {
    const stack = await readStack(aws, stackName);
    const api = createApi({ api: stack.outputs.ApiUrl ?? '', region: settings.region, keys: settings.credentials });
    const ca = flags.ca ?? caPath;
    const patient: Patient = { stack, aws, api, endpoint: settings.endpoint, ca: ca && readFileSync(ca, 'utf8') };
    const [ofStack, ofDevice] = await Promise.all([
      checkAll(stackLinks, patient),
      serialNumber === undefined ? [] : checkDevice(serialNumber, held, patient),
    ]);
    const links = [...ofStack, ...ofDevice];
    const { region, accountId } = stack;
    const verdict = worst(links);
    if (flags.json)
      printJson({ stack: stackName, region, accountId, ...(serialNumber && { serialNumber }), verdict, links });
    else console.log(said(`${stackName} in ${region} (account ${accountId})`, links));
    if (verdict === 'broken') process.exitCode = exitCodes.no;
  } finally {
    aws.close();
  }
}

function checkDevice(serialNumber: string, held: Held | undefined, patient: Patient): Promise<Checked[]> {
  let asked: ReturnType<DevicePatient['record']> | undefined;
  const record = () => {
    asked ??= readRecord(patient.api, serialNumber);
    return asked;
  };
  const links: Link<DevicePatient>[] = held ? [...deviceLinks, exchangeLink(held)] : deviceLinks;
  return checkAll(links, { ...patient, serialNumber, record });
}

function heldFrom(serialNumber: string | undefined, { certificate, key }: Flags): Held | undefined {
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined) throw new CommandFailed('give both --certificate and --key');
  if (serialNumber === undefined)
    throw new CommandFailed('give the serial number of the device whose certificate it is');
  const held = { certificatePem: readFileSync(certificate, 'utf8'), privateKeyPem: readFileSync(key, 'utf8') };
  if (!fits(held, certificate, key)) throw new CommandFailed(`${key} is not the key of ${certificate}`);
  return held;
}

function fits({ certificatePem, privateKeyPem }: Held, certificate: string, key: string): boolean {
  const parse = <T>(file: string, what: string, read: () => T): T => {
    try {
      return read();
    } catch {
      throw new CommandFailed(`${file} is no ${what} in PEM`);
    }
  };
  const privateKey = parse(key, 'private key', () => createPrivateKey(privateKeyPem));
  return parse(certificate, 'certificate', () => new X509Certificate(certificatePem)).checkPrivateKey(privateKey);
}

const verdictsOf = (links: Checked[]) => links.map(({ verdict }) => verdict);

const worst = (links: Checked[]): Verdict =>
  (['broken', 'not checked'] as const).find((verdict) => verdictsOf(links).includes(verdict)) ?? 'ok';

const COLOURS = { ok: 'green', broken: 'red', 'not checked': 'yellow' } as const;

/** A line a link where all is well with it, else a line for each thing that is not. */
function said(title: string, links: Checked[]): string {
  const width = Math.max(...links.map(({ link }) => link.length));
  const line = (verdict: Verdict, link: string, words: string) =>
    `${styleText(COLOURS[verdict], verdict.padEnd(11))}  ${link.padEnd(width)}  ${words}`.trimEnd();
  const lines = links.flatMap(({ link, verdict, findings }) => {
    if (verdict === 'ok') return [line('ok', link, allWell(findings))];
    return findings
      .filter((finding) => finding.verdict !== 'ok')
      .map((finding) => line(finding.verdict, link, [finding.subject, finding.says].filter(Boolean).join(': ')));
  });
  return [title, '', ...lines, '', ...ending(links)].join('\n');
}

const MOST_NAMED = 4;

function allWell(findings: Finding[]): string {
  if (findings.length > MOST_NAMED) return `${findings.length} looked at`;
  return findings.map(({ subject, says }) => (says === undefined ? subject : `${subject} (${says})`)).join(', ');
}

/** What to do first: whatever is behind a broken link may be well. */
function ending(links: Checked[]): string[] {
  const broken = links.flatMap(({ link, findings }) =>
    findings.filter(({ verdict }) => verdict === 'broken').map((finding) => ({ link, ...finding })),
  );
  const unchecked = links.filter(({ findings }) => findings.some(({ verdict }) => verdict === 'not checked')).length;
  const [first] = broken;
  const rest = unchecked > 0 ? [`${unchecked} of ${links.length} links could not be checked.`] : [];
  if (!first) return [unchecked > 0 ? 'Nothing that could be checked is broken.' : 'Nothing is broken.', ...rest];
  const { link, subject, says, remedy } = first;
  return [
    `Broken first: ${link}: ${subject}: ${says}`,
    ...(remedy ? ['Mend it with:', '', `  ${remedy.command}`, ''] : []),
    ...rest,
  ];
}
