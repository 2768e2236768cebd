export interface ManagedPolicy {
  policyName: string;
  policyId: string;
  arn: string;
  path: string;
  description?: string;
  createDate: number;
  updateDate: number;
  /** Ever rising, also past deleted versions. */
  lastVersion: number;
  versions: { versionId: string; document: string; isDefaultVersion: boolean; createDate: number }[];
  tags: Map<string, string>;
}

const allow = (...actions: string[]) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] });

/** The AWS-managed policies that this account knows: path and name → document (AWS Managed Policy Reference). */
const DOCUMENTS: Record<string, string> = {
  AdministratorAccess: allow('*'),
  'service-role/AWSLambdaBasicExecutionRole': allow('logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'),
  // IoT guide, "Creating IAM policies and roles for a user installing a device": the provisioning role.
  'service-role/AWSIoTThingsRegistration': allow(
    'iot:AddThingToThingGroup',
    'iot:AttachPolicy',
    'iot:AttachPrincipalPolicy',
    'iot:AttachThingPrincipal',
    'iot:CreateCertificateFromCsr',
    'iot:CreatePolicy',
    'iot:CreateThing',
    'iot:DescribeCertificate',
    'iot:DescribeThing',
    'iot:DescribeThingGroup',
    'iot:DescribeThingType',
    'iot:DetachPolicy',
    'iot:DetachThingPrincipal',
    'iot:GetPolicy',
    'iot:ListAttachedPolicies',
    'iot:ListPolicyPrincipals',
    'iot:ListPrincipalPolicies',
    'iot:ListPrincipalThings',
    'iot:ListTargetsForPolicy',
    'iot:ListThingGroupsForThing',
    'iot:ListThingPrincipals',
    'iot:RegisterCertificate',
    'iot:RegisterThing',
    'iot:RemoveThingFromThingGroup',
    'iot:UpdateCertificate',
    'iot:UpdateThing',
    'iot:UpdateThingGroupsForThing',
    'iot:AddThingToBillingGroup',
    'iot:DescribeBillingGroup',
    'iot:RemoveThingFromBillingGroup',
  ),
};

export function managedPolicies(): Map<string, ManagedPolicy> {
  return new Map(
    Object.entries(DOCUMENTS).map(([pathAndName, document]) => {
      const policyName = pathAndName.slice(pathAndName.lastIndexOf('/') + 1);
      const arn = `arn:aws:iam::aws:policy/${pathAndName}`;
      const policy: ManagedPolicy = {
        policyName,
        policyId: `ANPA${Buffer.from(policyName).toString('hex').toUpperCase().slice(0, 17)}`,
        arn,
        path: `/${pathAndName.slice(0, -policyName.length)}`,
        createDate: 0,
        updateDate: 0,
        lastVersion: 1,
        versions: [{ versionId: 'v1', document, isDefaultVersion: true, createDate: 0 }],
        tags: new Map(),
      };
      return [arn, policy];
    }),
  );
}
