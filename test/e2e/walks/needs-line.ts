import { denied, FORBIDDEN, FUNCTION_FAILED, mqttNeeds, type Needs, NO_FUNCTION, SILENCE } from './needs.ts';
import { auditNeeds } from './needs-audit.ts';
import { lifecycleNeeds } from './needs-lifecycle.ts';
import { queryNeeds } from './needs-queries.ts';
import { renewalNeeds } from './needs-renewal.ts';

const STREAM = ['kinesisvideo:CreateStream on stream/*', 'kinesisvideo:ListTagsForStream on stream/*'];
const MENDED = /^could not mend: \{"AccessDeniedException":\d+\}$/;
export const LEFT_BEHIND = /^a certificate was left behind$/;
export const HALF_MADE = /^a claim certificate was left half made$/;
const NOT_WRITTEN = /^the denial was not written down$/;

/** Both doors at which a device is made over HTTP take the same steps. */
function making(name: string, door: string): Needs {
  const role = (right: string, walk: string, seen = FUNCTION_FAILED): [string, Needs[string]] => [
    `${name} role: ${right}`,
    [`${door}: ${walk}`, seen],
  ];
  const left = "its thing is somebody else's, and nothing is left";
  const [createStream = '', listTags = ''] = STREAM;
  return Object.fromEntries([
    role('dynamodb:UpdateItem on table/devices', 'a device is made'),
    role('iot:CreateCertificateFromCsr on *', 'a device is made'),
    role('iot:CreateThing on thing/*', 'a device is made'),
    role('iot:AttachThingPrincipal on cert/*', 'a device is made'),
    role('iot:AttachPolicy on cert/*', 'a device is made'),
    role(createStream, 'a device is made'),
    role('iot:DescribeCertificate on cert/*', 'the answer is asked for again'),
    role('iot:DescribeThing on thing/*', 'its thing is there already'),
    role('iot:UpdateThing on thing/*', 'its thing is there already'),
    role(listTags, 'its stream is there already'),
    role('iot:UpdateCertificate on cert/*', left, LEFT_BEHIND),
    role('iot:DeleteCertificate on cert/*', left, LEFT_BEHIND),
    [`${name} trust: sts:AssumeRole by lambda.amazonaws.com`, [`${door}: a device is made`, NO_FUNCTION]],
  ]);
}

const doors: Needs = {
  ...making('provisionDevice', 'line'),
  'provisionDevice role: dynamodb:GetItem on table/devices': ['line: a device is made', FUNCTION_FAILED],
  'provisionDevice role: dynamodb:GetItem on table/pins': ['line: a device is made', FUNCTION_FAILED],
  'provisionDevice role: iot:CreateKeysAndCertificate on *': [
    'line: a device is made with a key of AWS',
    FUNCTION_FAILED,
  ],
  'provisionDevice role: dynamodb:UpdateItem on table/claims': ['line: nobody announced it', FUNCTION_FAILED],
  'provisionDevice role: dynamodb:PutItem on table/claims': ['line: nobody announced it', FUNCTION_FAILED],
  ...making('claimOverHttps', 'https'),
  'claimOverHttps role: dynamodb:BatchGetItem on table/devices': ['https: a device is made', FUNCTION_FAILED],
  'claimOverHttps role: dynamodb:BatchGetItem on table/claims': ['https: a device is made', FUNCTION_FAILED],
  'claimOverHttps role: dynamodb:BatchGetItem on table/pins': ['https: a device is made', FUNCTION_FAILED],
  'claimOverHttps role: dynamodb:UpdateItem on table/claims': [
    'https: a stranger is denied, for the operator to see',
    NOT_WRITTEN,
  ],
  'claimOverHttps role: dynamodb:PutItem on table/claims': [
    'https: a stranger is denied, for the operator to see',
    NOT_WRITTEN,
  ],
};

const connected: Needs = {
  'connected role: dynamodb:GetItem on table/devices': ['fixed camera says that it lives', FUNCTION_FAILED],
  'connected role: dynamodb:UpdateItem on table/devices': ['fixed camera says that it lives', FUNCTION_FAILED],
  'connected role: dynamodb:Query on table/devices/index/place': [
    'camera says a number that is nobody’s',
    FUNCTION_FAILED,
  ],
  'connected role: kinesisvideo:CreateStream on stream/*': [
    'camera says that it lives, and its channel is made',
    FUNCTION_FAILED,
  ],
  'connected role: kinesisvideo:ListTagsForStream on stream/*': [
    'camera says that it lives, and its channel is there already',
    FUNCTION_FAILED,
  ],
  'connected role: iot:UpdateCertificate on cert/*': [
    'camera says that it lives though it is suspended',
    FUNCTION_FAILED,
  ],
  'connected role: iot:DeleteConnection on client/*': [
    'camera says that it lives though it is suspended',
    FUNCTION_FAILED,
  ],
  'connected trust: sts:AssumeRole by lambda.amazonaws.com': ['fixed camera says that it lives', NO_FUNCTION],
  ...Object.fromEntries(
    [
      ['ThingNameCameraRole', 'thing-name'],
      ['CertificateIdCameraRole', 'certificate-id'],
      ['FixedCameraRole', 'fixed'],
    ].flatMap(([role, mode]) =>
      ['on POST/connected', 'if credentials-iot:ThingTypeName'].map((what) => [
        `${role} role: execute-api:Invoke ${what}`,
        [`${mode} camera says that it lives`, FORBIDDEN],
      ]),
    ),
  ),
};

const claimCertificates: Needs = Object.fromEntries(
  (
    [
      ['listClaimCertificates', 'dynamodb:Scan on table/claim-certificates', 'operator lists claim certificates'],
      ['listClaimCertificates', 'dynamodb:BatchGetItem on table/counters', 'operator lists claim certificates'],
      [
        'disableClaimCertificate',
        'dynamodb:UpdateItem on table/claim-certificates',
        'operator disables a claim certificate',
      ],
      ['disableClaimCertificate', 'dynamodb:Query on table/openings', 'operator disables a claim certificate'],
      ['disableClaimCertificate', 'dynamodb:BatchGetItem on table/counters', 'operator disables a claim certificate'],
      ['disableClaimCertificate', 'iot:DescribeCertificate on cert/*', 'operator disables a claim certificate'],
      ['disableClaimCertificate', 'iot:UpdateCertificate on cert/*', 'operator disables a claim certificate'],
      ['disableClaimCertificate', 'iot:DetachPolicy on cert/*', 'operator disables a claim certificate'],
      [
        'createProvisioningClaim',
        'iot:CreateProvisioningClaim on provisioningtemplate/claim',
        'factory has an installer’s claim made',
      ],
      [
        'createProvisioningClaim',
        'dynamodb:PutItem on table/claim-certificates',
        'factory has an installer’s claim made',
      ],
    ] as const
  ).flatMap(([name, right, walk]): [string, Needs[string]][] => [
    [`${name} role: ${right}`, [walk, FUNCTION_FAILED]],
    [`${name} trust: sts:AssumeRole by lambda.amazonaws.com`, [walk, NO_FUNCTION]],
  ]),
);

const IN_VAIN = 'operator orders a claim certificate in vain';
const halfMade: Needs = {
  'createClaimCertificate role: iot:UpdateCertificate on cert/*': [IN_VAIN, HALF_MADE],
  'createClaimCertificate role: dynamodb:UpdateItem on table/claim-certificates': [IN_VAIN, HALF_MADE],
};

const callers: Needs = Object.fromEntries(
  (
    [
      ['provisionDevice', 'line: a device is made'],
      ['claimOverHttps', 'https: a device is made'],
      ['connected', 'fixed camera says that it lives'],
      ['openapi', 'factory reads the description of the API'],
      ['listClaimCertificates', 'operator lists claim certificates'],
      ['disableClaimCertificate', 'operator disables a claim certificate'],
      ['createProvisioningClaim', 'factory has an installer’s claim made'],
    ] as const
  ).flatMap(([name, walk]): [string, Needs[string]][] => [
    [`${name} permission: lambda:InvokeFunction by apigateway.amazonaws.com`, [walk, NO_FUNCTION]],
    [`${name} permission: lambda:InvokeFunction if aws:SourceArn`, [walk, NO_FUNCTION]],
  ]),
);

const STACK = 'cloudformation:DescribeStacks on stack/firstlight-local/*';
const people: Needs = {
  ...Object.fromEntries(
    ['factory', 'operator', 'auditor'].map((persona) => [
      `${persona}: ${STACK}`,
      [`${persona} finds the API by its stack`, denied('cloudformation:DescribeStacks')],
    ]),
  ),
  'factory: execute-api:Invoke on GET/openapi.json': ['factory reads the description of the API', FORBIDDEN],
  'operator: execute-api:Invoke on GET/openapi.json': ['operator reads the description of the API', FORBIDDEN],
  'factory: execute-api:Invoke on POST/devices/*/provision': ['line: a device is made', FORBIDDEN],
  'factory: execute-api:Invoke on POST/provisioning-claims': ['factory has an installer’s claim made', FORBIDDEN],
  'operator: execute-api:Invoke on POST/devices/*': ['operator has a device made', FORBIDDEN],
  'operator: execute-api:Invoke on GET/claim-certificates': ['operator lists claim certificates', FORBIDDEN],
  'operator: execute-api:Invoke on POST/claim-certificates/*': ['operator disables a claim certificate', FORBIDDEN],
  'operator: execute-api:Invoke on POST/provisioning-claims': ['operator has an installer’s claim made', FORBIDDEN],
};

const reconciling: Needs = {
  'reconcile role: dynamodb:Query on table/devices/index/due': [
    'reconcile: a replaced certificate goes',
    denied('dynamodb:Query'),
  ],
  ...Object.fromEntries(
    (
      [
        ['dynamodb:GetItem on table/devices', 'a replaced certificate goes'],
        ['dynamodb:UpdateItem on table/devices', 'a replaced certificate goes'],
        ['iot:DescribeCertificate on cert/*', 'a replaced certificate goes'],
        ['iot:DetachPolicy on cert/*', 'a replaced certificate goes'],
        ['iot:UpdateCertificate on cert/*', 'a replaced certificate goes'],
        ['iot:DetachThingPrincipal on cert/*', 'a replaced certificate goes'],
        ['iot:DeleteCertificate on cert/*', 'a replaced certificate goes'],
        ['kinesisvideo:CreateStream on stream/*', 'a late stream is made'],
        ['kinesisvideo:ListTagsForStream on stream/*', 'a late stream is there already'],
        ['iot:CreateThing on thing/*', 'a half-made device is finished'],
        ['iot:AttachThingPrincipal on cert/*', 'a half-made device is finished'],
        ['iot:AttachPolicy on cert/*', 'a half-made device is finished'],
        ['iot:DescribeThing on thing/*', 'a half-made device with another thing is finished'],
        ['iot:UpdateThing on thing/*', 'a half-made device with another thing is finished'],
      ] as const
    ).map(([right, walk]) => [`reconcile role: ${right}`, [`reconcile: ${walk}`, MENDED]]),
  ),
  'reconcile permission: lambda:InvokeFunction by events.amazonaws.com': [
    'the schedule ends what is unfinished',
    SILENCE,
  ],
  'reconcile permission: lambda:InvokeFunction if aws:SourceArn': ['the schedule ends what is unfinished', SILENCE],
  'reconcile trust: sts:AssumeRole by lambda.amazonaws.com': [
    'reconcile: a late stream is made',
    /cannot be assumed by Lambda/,
  ],
};

export const needs: Needs = {
  ...lifecycleNeeds,
  ...mqttNeeds,
  ...doors,
  ...connected,
  ...claimCertificates,
  ...halfMade,
  ...callers,
  ...people,
  ...reconciling,
  ...auditNeeds,
  ...queryNeeds,
  ...renewalNeeds,
  'openapi trust: sts:AssumeRole by lambda.amazonaws.com': ['factory reads the description of the API', NO_FUNCTION],
  'provisioningHook role: dynamodb:UpdateItem on table/claim-certificates': [
    'is refused, and its claim certificate counts it',
    /^the claim certificate did not count the refusal$/,
  ],
};
