import type { Command } from 'commander';
import { openIdentity, saveProgress } from '../camera/identity.ts';
import { type ApiFlags, ask, connect, withApi } from './connect.ts';
import { orOneLine } from './failure.ts';
import { csrFrom, type HandedOut, handOut, withoutKey } from './handed-out.ts';
import { facts, printJson } from './table.ts';

interface ProvisionFlags extends ApiFlags {
  csr?: string;
  out?: string;
  json?: true;
}

interface Connection extends HandedOut {
  serialNumber: string;
  thingName: string;
  certificateId: string;
  connection: {
    region: string;
    mqttEndpoint: string;
    credentialEndpoint: string;
    credentialUrl: string;
    roleAlias: string;
    streamName: string;
    channels: string;
  };
}

export function register(device: Command): void {
  withApi(device.command('provision'), 'factory')
    .description('Make a device on the line: certificate, thing, stream and the way to connect.')
    .argument('<SERIAL>', 'serial number of an announced device')
    .option('--csr <file>', "signing request of the camera's own key (default: AWS makes the key, shown once)")
    .option('--out <directory>', 'where certificate.pem, private.key and identity.json go (default: ./SERIAL)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
The folder is one that the reference camera reads. Asked again before the camera has connected, it makes a new key and the earlier certificate
leaves; after that the answer is 409. With --csr the same request gives the same device again.
Exit code: 0 made, 1 the API refused, 2 it could not be asked.

Examples:
  firstlight device provision CAM-0001
  firstlight device provision CAM-0001 --csr cam-0001.csr --out ./cam-0001 --stage prod
  firstlight camera boot --serial CAM-0001 --dir ./CAM-0001`,
    )
    .action((serial: string, flags: ProvisionFlags) => orOneLine(() => provision(serial, flags)));
}

async function provision(serial: string, flags: ProvisionFlags): Promise<void> {
  const request = csrFrom(flags.csr);
  const { api } = await connect(flags, 'factory');
  const directory = flags.out ?? encodeURIComponent(serial);
  const path = `/devices/${encodeURIComponent(serial)}/provision`;
  const fetch = () => ask<Connection>(() => api.post(path, request));
  const { answer, written } = await handOut(directory, flags.csr === undefined, fetch);
  keepIdentity(directory, answer);
  if (flags.json) return printJson({ ...withoutKey(answer), files: written });
  const { serialNumber, thingName, certificateId, connection } = answer;
  console.log(
    facts([
      ['serial number', serialNumber],
      ['thing', thingName],
      ['certificate', certificateId],
      ['stream', connection.streamName],
      ['channels', connection.channels],
      ['role alias', connection.roleAlias],
      ['MQTT', connection.mqttEndpoint],
      ['credentials', connection.credentialUrl],
      ['certificate in', written.certificate],
      ['private key in', written.privateKey ?? 'the camera: it is of its own making'],
    ]),
  );
}

/** As the reference camera would have written it after a claim. */
function keepIdentity(
  directory: string,
  { serialNumber, certificateId, certificatePem, thingName, connection }: Connection,
): void {
  const { region, mqttEndpoint, credentialEndpoint, roleAlias, streamName, channels } = connection;
  saveProgress(openIdentity(directory, serialNumber), {
    stage: 'registered',
    certificateId,
    certificatePem,
    thingName,
    configuration: { region, mqttEndpoint, credentialEndpoint, roleAlias, streamName, channels, renewAfterDays: '' },
    registeredAt: new Date().toISOString(),
  });
}
