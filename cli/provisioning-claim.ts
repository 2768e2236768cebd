import type { Command } from 'commander';
import { type ApiFlags, askOnce, connect, withApi } from './connect.ts';
import { orOneLine } from './failure.ts';
import { type HandedOut, handOut, withoutKey } from './handed-out.ts';
import { facts, printJson } from './table.ts';

interface Flags extends ApiFlags {
  batch?: string;
  out: string;
  json?: true;
}

interface ProvisioningClaim extends HandedOut {
  certificateId: string;
  expiresAt: string;
  templateName: string;
  mqttEndpoint: string;
  batch?: string;
}

export function register(program: Command): void {
  withApi(program.command('provisioning-claim'), 'factory')
    .description("Make a claim certificate for an installer's hands; AWS ends it after five minutes.")
    .option('--batch <batch>', 'only devices of this batch may claim with it')
    .option('--out <directory>', 'where certificate.pem and private.key go', 'provisioning-claim')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  firstlight provisioning-claim --out claim
  firstlight camera boot --serial CAM-0001 --claim-certificate claim/certificate.pem --claim-key claim/private.key`,
    )
    .action((flags: Flags) => orOneLine(() => create(flags)));
}

async function create({ batch, out, json, ...flags }: Flags): Promise<void> {
  const { api } = await connect(flags, 'factory');
  const fetch = () =>
    askOnce<ProvisioningClaim>(() => api.post('/provisioning-claims', batch === undefined ? {} : { batch }));
  const { answer, written } = await handOut(out, true, fetch);
  if (json) return printJson({ ...withoutKey(answer), files: written });
  console.log(
    facts([
      ['certificate', answer.certificateId],
      ['batch', answer.batch ?? 'any'],
      ['ends', answer.expiresAt],
      ['template', answer.templateName],
      ['MQTT', answer.mqttEndpoint],
      ['certificate in', written.certificate],
      ['private key in', written.privateKey],
    ]),
  );
}
