import type { Command } from 'commander';
import type { Api } from './api.ts';
import { type ApiFlags, ask, askOnce, connect, withApi } from './connect.ts';
import { orOneLine } from './failure.ts';
import { instant } from './flag-values.ts';
import { csrFrom, type HandedOut, handOut, withoutKey } from './handed-out.ts';
import { count, facts, minute, printJson, table } from './table.ts';

interface ClaimCertificate {
  certificateId: string;
  kind?: string;
  batch?: string;
  claimWindow?: { from?: string; until?: string };
  createdAt: string;
  createdBy: string;
  disabledAt?: string;
  disabledBy?: string;
  opened?: number;
  refused?: number;
  lastRefusedAt?: string;
}

interface CreateFlags extends ApiFlags {
  batch?: string;
  csr?: string;
  from?: string;
  until?: string;
  out?: string;
  json?: true;
}

interface ListFlags extends ApiFlags {
  json?: true;
}

interface DisableFlags extends ApiFlags {
  openedSince?: string;
  json?: true;
}

export function register(program: Command): void {
  const claimCertificate = program
    .command('claim-certificate')
    .description('The bootstrap certificates that batches of cameras share.');

  withApi(claimCertificate.command('create'), 'operator')
    .description('Make a claim certificate, for a batch and a time or for all.')
    .option('--batch <batch>', 'only devices of this batch may claim with it')
    .option('--from <instant>', 'no claim before', instant)
    .option('--until <instant>', 'no claim after', instant)
    .option('--csr <file>', 'signing request (default: AWS makes the key, shown once)')
    .option('--out <directory>', 'where certificate.pem and private.key go (default: ./claim-BATCH)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  firstlight claim-certificate create --batch week-47 --until 2027-01-31
  firstlight claim-certificate create --csr line-3.csr --out line-3 --stage prod`,
    )
    .action((flags: CreateFlags) => orOneLine(() => create(flags)));

  withApi(claimCertificate.command('list'), 'operator')
    .description('List them, with how many claims each has opened and refused.')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  firstlight claim-certificate list --as auditor
  firstlight claim-certificate list --json | jq '.claimCertificates[] | select(.refused > 0)'`,
    )
    .action((flags: ListFlags) => orOneLine(() => list(flags)));

  withApi(claimCertificate.command('disable'), 'operator')
    .description('Let it open nothing any more, and list the claims that it has opened. Again: list again.')
    .argument('<ID>', 'certificate id')
    .option('--opened-since <instant>', 'list only what it opened from then on', instant)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  firstlight claim-certificate disable 5d1f… --opened-since 2026-11-20
  firstlight claim-certificate disable 5d1f… --json | jq -r '.devices[].serialNumber'`,
    )
    .action((id: string, flags: DisableFlags) => orOneLine(() => disable(id, flags)));
}

async function create({ batch, csr, from, until, out, json, ...flags }: CreateFlags): Promise<void> {
  const claimWindow = { ...(from && { from }), ...(until && { until }) };
  const order = { ...(batch && { batch }), ...(from || until ? { claimWindow } : {}), ...csrFrom(csr) };
  const { api } = await connect(flags, 'operator');
  const directory = out ?? (batch ? `claim-${encodeURIComponent(batch)}` : 'claim');
  const fetch = () => askOnce<ClaimCertificate & HandedOut>(() => api.post('/claim-certificates', order));
  const { answer, written } = await handOut(directory, csr === undefined, fetch);
  if (json) return printJson({ ...withoutKey(answer), files: written });
  console.log(
    facts([
      ['certificate', answer.certificateId],
      ['batch', answer.batch ?? 'any'],
      ['claims from', answer.claimWindow?.from],
      ['claims until', answer.claimWindow?.until],
      ['certificate in', written.certificate],
      ['private key in', written.privateKey ?? 'where the request was made'],
    ]),
  );
}

async function list({ json, ...flags }: ListFlags): Promise<void> {
  const { api } = await connect(flags, 'operator');
  const claimCertificates: ClaimCertificate[] = [];
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await ask<{ claimCertificates: ClaimCertificate[]; nextCursor?: string }>(() =>
      api.get(paged('/claim-certificates', cursor)),
    );
    claimCertificates.push(...page.claimCertificates);
    cursor = page.nextCursor;
  }
  if (json) return printJson({ claimCertificates });
  if (claimCertificates.length === 0) return console.log('There is no claim certificate.');
  const rows = claimCertificates.map(
    ({ certificateId, kind, batch, claimWindow, createdAt, disabledAt, opened, refused }) => [
      certificateId,
      batch ?? (kind === 'installer' ? 'an installer' : 'any'),
      minute(createdAt),
      claimWindow ? `${minute(claimWindow.from) || '…'} to ${minute(claimWindow.until) || '…'}` : 'always',
      disabledAt ? `since ${minute(disabledAt)}` : '',
      count(opened ?? 0),
      count(refused ?? 0),
    ],
  );
  console.log(table(['certificate', 'batch', 'created', 'claims', 'disabled', 'opened', 'refused'], rows));
}

async function disable(id: string, { openedSince, json, ...flags }: DisableFlags): Promise<void> {
  const { api } = await connect(flags, 'operator');
  const path = `/claim-certificates/${encodeURIComponent(id)}/disable`;
  type Page = ClaimCertificate & { devices: { serialNumber: string; openedAt: string }[]; nextCursor?: string };
  const page = (cursor?: string) =>
    ask<Page>(() => api.post(paged(path, cursor), openedSince === undefined ? {} : { openedSince }));
  const { nextCursor, ...answer } = await page();
  for (let cursor = nextCursor; cursor !== undefined; ) {
    const next = await page(cursor);
    answer.devices.push(...next.devices);
    cursor = next.nextCursor;
  }
  if (json) return printJson(answer);
  const { certificateId, disabledAt, disabledBy, devices } = answer;
  console.log(
    `${certificateId} is disabled since ${disabledAt} (by ${disabledBy}); it has opened ${claims(devices.length)}.`,
  );
  if (devices.length > 0)
    console.log(
      table(
        ['serial number', 'opened at'],
        devices.map((one) => [one.serialNumber, one.openedAt]),
      ),
    );
}

const claims = (number: number): string => (number === 1 ? 'one claim' : `${count(number)} claims`);

const paged = (path: string, cursor: string | undefined): Parameters<Api['get']>[0] =>
  cursor === undefined ? path : `${path}?${new URLSearchParams({ cursor })}`;
