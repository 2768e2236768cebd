// Trigger: GET /claim-certificates. Needs: dynamodb:Scan on claim certificates, Query on the devices' index `opened`.
import { claimCertificateListIn } from '../shared/aws/dynamodb/claim-certificates.ts';
import { openingsIn } from '../shared/aws/dynamodb/openings.ts';
import { env } from '../shared/config.ts';
import { http } from '../shared/edge/http.ts';
import { readPage, writeCursor } from '../shared/edge/page.ts';
import { listClaimCertificates } from '../shared/flow/list-claim-certificates.ts';

const ports = {
  claimCertificates: claimCertificateListIn(env.text('CLAIM_CERTIFICATES_TABLE')),
  openings: openingsIn(env.text('DEVICES_TABLE')),
};
const list = 'claim-certificates';

export const handler = http(ports, async (request, readers) => {
  const { claimCertificates, next } = await listClaimCertificates(readPage(request, list), readers);
  return { status: 200, body: { claimCertificates, ...(next && { nextCursor: writeCursor(list, next) }) } };
});
