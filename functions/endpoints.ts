// Trigger: a custom resource of CloudFormation, once per deployment; Fn::GetAtt `mqtt` and `credentials`.
// Needs: iot:DescribeEndpoint.
import { endpoints } from '../shared/aws/iot.ts';
import { resource } from '../shared/edge/resource.ts';

export const handler = resource('endpoints', async () => {
  const [mqtt, credentials] = await Promise.all([
    endpoints.describe('iot:Data-ATS'),
    endpoints.describe('iot:CredentialProvider'),
  ]);
  return { mqtt, credentials };
});
