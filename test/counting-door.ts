import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AwsCall {
  /** As it was signed: `dynamodb`, `kinesisvideo`, `iot`. */
  service: string;
  /** `UpdateItem`, or method and path where the protocol has no name on the wire. */
  operation: string;
}

export interface CountingDoor {
  /** What goes into `AWS_ENDPOINT_URL`. */
  url: string;
  calls: AwsCall[];
  close(): void;
}

/** Stands before an AWS endpoint and writes down each call. Headers pass as they came: a signature covers `Host`. */
export async function startCountingDoor(aws: string): Promise<CountingDoor> {
  const calls: AwsCall[] = [];
  const { hostname, port } = new URL(aws);
  const server = createServer((incoming, outgoing) => {
    const { method, url: path, rawHeaders, headers } = incoming;
    // SigV4: Credential=<key>/<day>/<region>/<service>/aws4_request
    const [, service = 'unsigned'] = /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? '') ?? [];
    const target = headers['x-amz-target'];
    const operation = typeof target === 'string' ? target.replace(/^.*\./, '') : `${method} ${path}`;
    calls.push({ service, operation });
    const onward = request({ hostname, port, method, path, headers: rawHeaders }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
