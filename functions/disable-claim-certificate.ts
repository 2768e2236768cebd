// Trigger: POST /claim-certificates/{certificateId}/disable.
// Needs: dynamodb:UpdateItem on claim certificates, Query on openings, BatchGetItem on counters; iot:DescribeCertificate,
// UpdateCertificate, DetachPolicy.
import { claimCertificateListIn } from '../shared/aws/dynamodb/claim-certificates.ts';
import { countersIn } from '../shared/aws/dynamodb/counters.ts';
import { openingsIn } from '../shared/aws/dynamodb/openings.ts';
import { issuedCertificates } from '../shared/aws/iot.ts';
import { env } from '../shared/config.ts';
import { readCertificateId, readDisabling } from '../shared/edge/claim-certificate.ts';
import { http } from '../shared/edge/http.ts';
import { readPage, writeCursor } from '../shared/edge/page.ts';
import { disableClaimCertificate } from '../shared/flow/disable-claim-certificate.ts';

const ports = {
  claimCertificates: claimCertificateListIn(env.text('CLAIM_CERTIFICATES_TABLE')),
  counters: countersIn(env.text('COUNTERS_TABLE')),
  openings: openingsIn(env.text('OPENINGS_TABLE')),
  certificates: issuedCertificates,
  now: () => new Date(),
};
const policy = env.text('CLAIM_POLICY');

export const handler = http(ports, async (request, ports) => {
  const certificateId = readCertificateId(request);
  const { openedSince } = readDisabling(request.jsonIfAny());
  const list = `opened/${certificateId}/${openedSince ?? ''}`;
  const order = { certificateId, openedSince, by: request.caller, ...readPage(request, list) };
  const { answer, next } = await disableClaimCertificate(order, ports, policy);
  return { status: 200, body: { ...answer, ...(next && { nextCursor: writeCursor(list, next) }) } };
});
