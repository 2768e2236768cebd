// Trigger: POST /claim-certificates/{certificateId}/disable.
// Needs: dynamodb:UpdateItem on claim certificates, Query on the devices' index `opened`; iot:DescribeCertificate,
// UpdateCertificate, DetachPolicy.
import { claimCertificateListIn } from '../shared/aws/dynamodb/claim-certificates.ts';
import { openingsIn } from '../shared/aws/dynamodb/openings.ts';
import { issuedCertificates } from '../shared/aws/iot.ts';
import { env } from '../shared/config.ts';
import { readCertificateId, readDisabling } from '../shared/edge/claim-certificate.ts';
import { http } from '../shared/edge/http.ts';
import { readPage, writeCursor } from '../shared/edge/page.ts';
import { patient } from '../shared/edge/patience.ts';
import { disableClaimCertificate } from '../shared/flow/disable-claim-certificate.ts';

const claimCertificates = claimCertificateListIn(env.text('CLAIM_CERTIFICATES_TABLE'));
const openings = openingsIn(env.text('DEVICES_TABLE'));
const policy = env.text('CLAIM_POLICY');

export const handler = http(async (request) => {
  const certificateId = readCertificateId(request);
  const { openedSince } = readDisabling(request.jsonIfAny());
  const list = `opened/${certificateId}/${openedSince ?? ''}`;
  const ports = {
    claimCertificates: patient(claimCertificates, request.remainingMs),
    openings,
    certificates: patient(issuedCertificates, request.remainingMs),
    now: () => new Date(),
  };
  const order = { certificateId, openedSince, by: request.caller, ...readPage(request, list) };
  const { answer, next } = await disableClaimCertificate(order, ports, policy);
  return { status: 200, body: { ...answer, ...(next && { nextCursor: writeCursor(list, next) }) } };
});
