// Trigger: POST /provisioning-claims. Needs: iot:CreateProvisioningClaim on the claim template, dynamodb:PutItem on claim certificates.
import { claimCertificatesIn } from '../shared/aws/dynamodb/claim-certificates.ts';
import { provisioningClaims } from '../shared/aws/iot.ts';
import { env } from '../shared/config.ts';
import { readProvisioningClaim } from '../shared/edge/claim-certificate.ts';
import { http } from '../shared/edge/http.ts';
import { patient } from '../shared/edge/patience.ts';
import { createProvisioningClaim } from '../shared/flow/create-provisioning-claim.ts';

const registry = claimCertificatesIn(env.text('CLAIM_CERTIFICATES_TABLE'));
const settings = {
  templateName: env.text('CLAIM_TEMPLATE'),
  mqttEndpoint: env.text('MQTT_ENDPOINT'),
  keptDays: env.wholeNumber('CLAIM_HISTORY_DAYS'),
};

export const handler = http(async (request) => {
  const order = readProvisioningClaim(request.jsonIfAny());
  const ports = { iot: patient(provisioningClaims, request.remainingMs), registry, now: () => new Date() };
  return { status: 201, body: await createProvisioningClaim(order, request.caller, ports, settings) };
});
