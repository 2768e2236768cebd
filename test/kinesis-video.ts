import { Sha256 } from '@aws-crypto/sha256-js';
import { type APIName, GetDataEndpointCommand, KinesisVideoClient } from '@aws-sdk/client-kinesis-video';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Keys } from './http-api.ts';

export interface FragmentRecord {
  FragmentNumber: string;
  FragmentSizeInBytes: number;
  FragmentLengthInMilliseconds: number;
  ProducerTimestamp: number;
}

/** What a stream holds for good: ListFragments, at the address that GetDataEndpoint gives. Without `aws`, an account's own. */
export async function persistedFragments(
  { aws, region }: { aws?: string; region: string },
  credentials: Keys,
  StreamName: string,
): Promise<FragmentRecord[]> {
  const kinesisVideo = new KinesisVideoClient({ ...(aws !== undefined && { endpoint: aws }), region, credentials });
  const endpoint = new GetDataEndpointCommand({ StreamName, APIName: 'LIST_FRAGMENTS' satisfies APIName });
  const url = new URL('/listFragments', (await kinesisVideo.send(endpoint)).DataEndpoint);
  const body = JSON.stringify({ StreamName, MaxResults: 1000 });
  const signer = new SignatureV4({ service: 'kinesisvideo', region, credentials, sha256: Sha256 });
  const { headers } = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    headers: { host: url.host, 'content-type': 'application/json' },
    body,
  });
  const answer = await fetch(url, { method: 'POST', headers, body });
  if (!answer.ok) throw new Error(`ListFragments: ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { Fragments: FragmentRecord[] }).Fragments;
}
