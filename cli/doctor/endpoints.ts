import { rootCertificates, connect as tlsConnect } from 'node:tls';
import { DescribeEndpointCommand } from '@aws-sdk/client-iot';
import { broken, type Link, well } from './link.ts';
import type { Patient } from './patient.ts';
import { byHand } from './remedy.ts';

/** Output of the stack → AWS IoT's word for it, and the port where the endpoint names none. */
const ENDPOINTS = [
  { output: 'MqttEndpoint', type: 'iot:Data-ATS', port: 8883 },
  { output: 'CredentialEndpoint', type: 'iot:CredentialProvider', port: 443 },
] as const;

export const endpointsLink: Link<Patient> = {
  name: 'endpoints',
  asks: "Are the endpoints that cameras are told the account's own, and do they answer in TLS?",
  subjects: ({ stack, aws, ca }) =>
    ENDPOINTS.flatMap(({ output, type, port }) => {
      const told = stack.outputs[output] ?? '';
      const [host = '', ownPort] = told.split(':');
      return [
        {
          subject: type,
          async look() {
            const { endpointAddress } = await aws.iot.send(new DescribeEndpointCommand({ endpointType: type }));
            if (endpointAddress === told) return well(told);
            return broken(
              `cameras are told ${told}, and the account's is ${endpointAddress}`,
              byHand(
                `change any property of the custom resource that asks for the endpoints in serverless.yml, then npm run deploy -- --stage ${stack.name.replace(/^firstlight-/, '')}`,
              ),
            );
          },
        },
        {
          subject: told,
          async look() {
            const trouble = await greet(host, Number(ownPort ?? port), ca);
            return trouble
              ? broken(trouble, byHand(`openssl s_client -connect ${host}:${ownPort ?? port}`))
              : well('TLS');
          },
        },
      ];
    }),
};

const PATIENCE_MS = 5_000;

/** What keeps this machine from a TLS handshake, in words. Whoever asks for a client certificate has shown who he is. */
function greet(host: string, port: number, ca: string | undefined): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = tlsConnect({ host, port, servername: host, ca: ca ?? [...rootCertificates], timeout: PATIENCE_MS });
    const end = (trouble?: string) => {
      socket.destroy();
      resolve(trouble);
    };
    socket.once('secureConnect', () => end());
    socket.once('timeout', () =>
      end(`${host}:${port} does not answer within ${PATIENCE_MS / 1000} s; is the port open in this network?`),
    );
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const { code = '', message } = error;
      if (code.includes('ALERT')) end();
      else if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') end(`the name ${host} does not resolve`);
      else if (code === 'ECONNREFUSED') end(`nothing listens on ${host}:${port}`);
      else end(`no TLS with ${host}:${port}: ${message}`);
    });
  });
}
