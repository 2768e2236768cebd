// Trigger: POST /provisioning-claims. Needs: iot:CreateProvisioningClaim on the claim template, dynamodb:PutItem on claim certificates.
import { claimCertificatesIn } from '../shared/aws/dynamodb/claim-certificates.ts';
import { provisioningClaims } from '../shared/aws/iot.ts';
import { env } from '../shared/config.ts';
import { readProvisioningClaim } from '../shared/edge/claim-certificate.ts';
import { http } from '../shared/edge/http.ts';
import { createProvisioningClaim } from '../shared/flow/create-provisioning-claim.ts';

const ports = {
  iot: provisioningClaims,
  registry: claimCertificatesIn(env.text('CLAIM_CERTIFICATES_TABLE')),
  now: () => new Date(),
};
const settings = {
  templateName: env.text('CLAIM_TEMPLATE'),
  mqttEndpoint: env.text('MQTT_ENDPOINT'),
  keptDays: env.wholeNumber('CLAIM_HISTORY_DAYS'),
};

export const handler = http(ports, async (request, ports) => {
  const order = readProvisioningClaim(request.jsonIfAny());
  return { status: 201, body: await createProvisioningClaim(order, request.caller, ports, settings) };
});
