import { request } from 'node:http';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Keys } from './http-api.ts';

export interface Acknowledgement {
  EventType: string;
  FragmentTimecode?: number;
  FragmentNumber?: string;
  ErrorId?: number;
}

export interface PutMediaAnswer {
  status: number;
  errorType: string | undefined;
  /** Of a 200; otherwise `text` says what is wrong. */
  acknowledgements: Acknowledgement[];
  text: string;
}

/** One PutMedia: sends the head, then the body's pieces, ends, and gives back all that was answered. */
export async function putMedia(
  { aws, region }: { aws: string; region: string },
  keys: Keys,
  stream: { name: string } | { arn: string },
  body: Buffer,
  headers: Record<string, string | undefined> = {},
): Promise<PutMediaAnswer> {
  const url = new URL('/putMedia', aws);
  const signer = new SignatureV4({
    service: 'kinesisvideo',
    region,
    credentials: keys,
    sha256: Sha256,
    applyChecksum: false,
  });
  const wanted = {
    ...('name' in stream ? { 'x-amzn-stream-name': stream.name } : { 'x-amzn-stream-arn': stream.arn }),
    'x-amzn-fragment-timecode-type': 'ABSOLUTE',
    'x-amzn-producer-start-timestamp': '1795498624.893',
    ...headers,
  };
  const signed = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    headers: {
      host: url.host,
      ...(Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)) as typeof wanted),
    },
  } as Parameters<typeof signer.sign>[0]);
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers: signed.headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.once('close', () => {
        const status = response.statusCode ?? 0;
        const lines = text.split('\n').filter((line) => line !== '');
        resolve({
          status,
          errorType: (response.headers['x-amzn-errortype'] ?? response.headers['x-amz-errortype'])?.toString(),
          acknowledgements: status === 200 ? lines.map((line) => JSON.parse(line)) : [],
          text,
        });
        sent.destroy();
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
