// Trigger: GET /claim-certificates. Needs: dynamodb:Scan on claim certificates, BatchGetItem on counters.
import { claimCertificateListIn } from '../shared/aws/dynamodb/claim-certificates.ts';
import { countersIn } from '../shared/aws/dynamodb/counters.ts';
import { env } from '../shared/config.ts';
import { http } from '../shared/edge/http.ts';
import { readPage, writeCursor } from '../shared/edge/page.ts';
import { listClaimCertificates } from '../shared/flow/list-claim-certificates.ts';

const ports = {
  claimCertificates: claimCertificateListIn(env.text('CLAIM_CERTIFICATES_TABLE')),
  counters: countersIn(env.text('COUNTERS_TABLE')),
};
const list = 'claim-certificates';

export const handler = http(ports, async (request, readers) => {
  const { claimCertificates, next } = await listClaimCertificates(readPage(request, list), readers);
  return { status: 200, body: { claimCertificates, ...(next && { nextCursor: writeCursor(list, next) }) } };
});
