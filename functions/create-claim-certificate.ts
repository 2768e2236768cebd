// Trigger: POST /claim-certificates.
// Needs: iot:CreateCertificateFromCsr and CreateKeysAndCertificate, iot:AttachPolicy, dynamodb:PutItem on claim certificates.
import { claimCertificatesIn } from '../shared/aws/dynamodb/claim-certificates.ts';
import { certificates } from '../shared/aws/iot.ts';
import { env } from '../shared/config.ts';
import { readClaimCertificateOrder } from '../shared/edge/claim-certificate.ts';
import { http } from '../shared/edge/http.ts';
import { createClaimCertificate } from '../shared/flow/create-claim-certificate.ts';

const ports = {
  iot: certificates,
  registry: claimCertificatesIn(env.text('CLAIM_CERTIFICATES_TABLE')),
  now: () => new Date(),
};
const policy = env.text('CLAIM_POLICY');

export const handler = http(ports, async (request, ports) => {
  const order = readClaimCertificateOrder(request.jsonIfAny());
  return { status: 201, body: await createClaimCertificate(order, request.caller, ports, policy) };
});
