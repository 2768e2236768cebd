import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import type { Held } from './device-key.ts';

export interface ProviderAnswer {
  status: number;
  errorType: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  body: any;
}

/** One question to the credential provider, as a KVS producer puts it; without `thingName`, without its header. */
export async function askForCredentials(
  { credentials: door, caPath }: { credentials: { host: string; port: number }; caPath: string },
  {
    held,
    roleAlias,
    thingName,
    method = 'GET',
  }: { held?: Held | undefined; roleAlias: string; thingName?: string; method?: string },
): Promise<ProviderAnswer> {
  const ca = await readFile(caPath);
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: door.host,
        port: door.port,
        path: `/role-aliases/${roleAlias}/credentials`,
        method,
        ca,
        agent: false,
        ...(held && { cert: held.certificatePem, key: held.privateKeyPem }),
        headers: thingName === undefined ? {} : { 'x-amzn-iot-thingname': thingName },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            errorType: response.headers['x-amzn-errortype']?.toString(),
            body: JSON.parse(text),
          }),
        );
      },
    );
    asked.on('error', reject).end();
  });
}
