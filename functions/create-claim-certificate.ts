// Trigger: POST /claim-certificates.
// Needs: iot:CreateCertificateFromCsr and CreateKeysAndCertificate, AttachPolicy, UpdateCertificate; dynamodb:PutItem and UpdateItem
// on claim certificates.
import { claimCertificateListIn, claimCertificatesIn } from '../shared/aws/dynamodb/claim-certificates.ts';
import { certificates, issuedCertificates } from '../shared/aws/iot.ts';
import { env } from '../shared/config.ts';
import { readClaimCertificateOrder } from '../shared/edge/claim-certificate.ts';
import { http } from '../shared/edge/http.ts';
import { createClaimCertificate } from '../shared/flow/create-claim-certificate.ts';

const table = env.text('CLAIM_CERTIFICATES_TABLE');
const ports = {
  iot: { ...certificates, deactivate: issuedCertificates.deactivate },
  registry: { ...claimCertificatesIn(table), disable: claimCertificateListIn(table).disable },
  now: () => new Date(),
};
const policy = env.text('CLAIM_POLICY');

export const handler = http(ports, async (request, ports) => {
  const order = readClaimCertificateOrder(request.jsonIfAny());
  return { status: 201, body: await createClaimCertificate(order, request.caller, ports, policy) };
});
