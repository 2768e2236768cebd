import { randomUUID } from 'node:crypto';
import { AttachPolicyCommand, CreateKeysAndCertificateCommand, CreatePolicyCommand } from '@aws-sdk/client-iot';
import { awsClients } from './aws-clients.ts';
import type { Held } from './device-key.ts';
import { createHttpApi } from './http-api.ts';
import type { Outputs } from './local-run.ts';

/** One more claim certificate, as an operator makes it. */
export async function newClaimCertificate(outputs: Outputs, batch?: string): Promise<Held> {
  const operator = createHttpApi(outputs, outputs.personas.operator);
  const { status, body } = await operator.post('/claim-certificates', batch === undefined ? {} : { batch });
  if (status !== 201) throw new Error(`no claim certificate: ${status} ${JSON.stringify(body)}`);
  return { certificatePem: body.certificatePem, privateKeyPem: body.privateKey };
}

/** A certificate whose policy allows these actions on everything: what it is refused then, is refused by the door itself. */
export async function freeCertificate(
  outputs: Outputs,
  actions = ['iot:Connect', 'iot:Publish', 'iot:Subscribe', 'iot:Receive'],
): Promise<Held & { certificateId: string }> {
  const { iot } = awsClients(outputs, outputs.personas.admin);
  const policyName = `free-${randomUUID()}`;
  const policyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }],
  });
  await iot.send(new CreatePolicyCommand({ policyName, policyDocument }));
  const {
    certificateArn,
    certificateId = '',
    certificatePem = '',
    keyPair,
  } = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  await iot.send(new AttachPolicyCommand({ policyName, target: certificateArn }));
  return { certificateId, certificatePem, privateKeyPem: keyPair?.PrivateKey ?? '' };
}
