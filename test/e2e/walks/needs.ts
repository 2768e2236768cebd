/** Which right is needed by whom, and what they see without it. The rights themselves are read from the running stack. */

/** Right → the smallest walk that needs it, and how the walk fails. */
export type Needs = Record<string, [walk: string, seen: RegExp]>;

/** Nothing comes: no answer, no event. */
export const SILENCE = /^(silence on|it hears nothing|waited \d+ ms in vain for)/;

export const denied = (action: string) => new RegExp(`not authorized to perform: ${action} on resource: `);
/** A device is not told why, not even that there was no hook to ask. */
export const HOOK_SAYS_NO = /^rejected: 403 AccessDenied The pre-provisioning hook did not allow it\.$/;
/** The function's own answer, and API Gateway's when there is no function to answer. */
export const FUNCTION_FAILED = /^500 internal$/;
export const NO_FUNCTION = /^500 Internal Server Error$/;
export const FORBIDDEN = /^403 Forbidden$/;
export const HUNG_UP = /^the broker hung up over \$aws\/\S+ \(135\)$/;
const CONNECT_REFUSED = /^CONNECT was refused with code 135$/;
const NOT_ASSUMABLE = /^no credentials: 400 Unable to assume the role, or the role to assume does not exist$/;

const deadLetter = (action: string) => new RegExp(`^dead letter: .*${denied(action).source}`);

const functions: Needs = {
  'provisioningHook role: dynamodb:BatchGetItem on table/devices': ['claims a fixed identity', HOOK_SAYS_NO],
  'provisioningHook role: dynamodb:BatchGetItem on table/claim-certificates': ['claims a fixed identity', HOOK_SAYS_NO],
  'provisioningHook role: dynamodb:BatchGetItem on table/pins': ['claims a fixed identity', HOOK_SAYS_NO],
  'provisioningHook role: dynamodb:UpdateItem on table/devices': ['claims a fixed identity', HOOK_SAYS_NO],
  'provisioningHook role: dynamodb:UpdateItem on table/claims': [
    'is refused, for the operator to see',
    /was not written/,
  ],
  'provisioningHook role: dynamodb:PutItem on table/claims': ['is refused, for the operator to see', /was not written/],
  'provisioningHook role: kinesisvideo:CreateStream on stream/*': ['claims a certificate-id identity', HOOK_SAYS_NO],
  'provisioningHook role: kinesisvideo:ListTagsForStream on stream/*': [
    'claims again with the same key',
    /^the second time: rejected: 403 AccessDenied/,
  ],
  'provisioningHook trust: sts:AssumeRole by lambda.amazonaws.com': ['claims a fixed identity', HOOK_SAYS_NO],

  'onPresence role: dynamodb:GetItem on table/devices': ['shows life', deadLetter('dynamodb:GetItem')],
  'onPresence role: dynamodb:UpdateItem on table/devices': ['shows life', deadLetter('dynamodb:UpdateItem')],
  'onPresence role: dynamodb:Query on table/devices/index/place': [
    'shows life in a place of another name',
    deadLetter('dynamodb:Query'),
  ],
  'onPresence role: kinesisvideo:CreateStream on stream/*': [
    'shows life, and its late stream is made',
    deadLetter('kinesisvideo:CreateStream'),
  ],
  'onPresence role: kinesisvideo:ListTagsForStream on stream/*': [
    'shows life, and its late stream is there already',
    deadLetter('kinesisvideo:ListTagsForStream'),
  ],
  'onPresence role: sqs:SendMessage on presence-failures': ['shows life in vain, and a letter tells', SILENCE],
  'onPresence trust: sts:AssumeRole by lambda.amazonaws.com': ['shows life', SILENCE],

  'endpoints role: iot:DescribeEndpoint on *': ['is deployed', /^FAILED: .*iot:DescribeEndpoint/],
  'endpoints trust: sts:AssumeRole by lambda.amazonaws.com': ['is deployed', /cannot be assumed by Lambda/],

  'announceDevices role: dynamodb:BatchGetItem on table/devices': ['factory announces', FUNCTION_FAILED],
  'announceDevices role: dynamodb:UpdateItem on table/devices': ['factory announces', FUNCTION_FAILED],
  'announceDevices role: dynamodb:PutItem on table/pins': ['factory announces a pinned key', FUNCTION_FAILED],
  'announceDevices role: dynamodb:GetItem on table/pins': [
    'factory asks what would become of a pinned key',
    FUNCTION_FAILED,
  ],
  'announceDevices trust: sts:AssumeRole by lambda.amazonaws.com': ['factory announces', NO_FUNCTION],

  'getDevice role: dynamodb:GetItem on table/devices': ['factory looks a device up', FUNCTION_FAILED],
  'getDevice trust: sts:AssumeRole by lambda.amazonaws.com': ['factory looks a device up', NO_FUNCTION],

  'listClaims role: dynamodb:GetItem on table/devices': ['auditor lists claims', FUNCTION_FAILED],
  'listClaims role: dynamodb:Query on table/claims': ['auditor lists claims', FUNCTION_FAILED],
  'listClaims role: dynamodb:GetItem on table/claims': ['auditor lists claims', FUNCTION_FAILED],
  'listClaims trust: sts:AssumeRole by lambda.amazonaws.com': ['auditor lists claims', NO_FUNCTION],

  'createClaimCertificate role: iot:CreateKeysAndCertificate on *': [
    'operator orders a claim certificate',
    FUNCTION_FAILED,
  ],
  'createClaimCertificate role: iot:CreateCertificateFromCsr on *': [
    'operator has a CSR made a claim certificate',
    FUNCTION_FAILED,
  ],
  'createClaimCertificate role: iot:AttachPolicy on cert/*': [
    'operator has a CSR made a claim certificate',
    FUNCTION_FAILED,
  ],
  'createClaimCertificate role: dynamodb:PutItem on table/claim-certificates': [
    'operator has a CSR made a claim certificate',
    FUNCTION_FAILED,
  ],
  'createClaimCertificate trust: sts:AssumeRole by lambda.amazonaws.com': [
    'operator has a CSR made a claim certificate',
    NO_FUNCTION,
  ],
};

/** Who may call which function: AWS IoT its two, API Gateway the routes. */
function callers(): Needs {
  const walks: [name: string, service: string, walk: string, seen: RegExp][] = [
    ['provisioningHook', 'iot', 'claims a fixed identity', HOOK_SAYS_NO],
    ['onPresence', 'iot', 'shows life', SILENCE],
    ['announceDevices', 'apigateway', 'factory announces', NO_FUNCTION],
    ['getDevice', 'apigateway', 'factory looks a device up', NO_FUNCTION],
    ['listClaims', 'apigateway', 'auditor lists claims', NO_FUNCTION],
    ['createClaimCertificate', 'apigateway', 'operator has a CSR made a claim certificate', NO_FUNCTION],
  ];
  return {
    ...Object.fromEntries(
      walks.flatMap(([name, service, walk, seen]) => [
        [`${name} permission: lambda:InvokeFunction by ${service}.amazonaws.com`, [walk, seen]],
        [`${name} permission: lambda:InvokeFunction if aws:SourceArn`, [walk, seen]],
      ]),
    ),
    'provisioningHook permission: lambda:InvokeFunction if aws:SourceAccount': [
      'claims a fixed identity',
      HOOK_SAYS_NO,
    ],
  };
}

/** What the template's role does for a camera: AWS names the action that it may not do. */
const provisioning: Needs = {
  ...Object.fromEntries(
    [
      'iot:DescribeCertificate',
      'iot:UpdateCertificate',
      'iot:DescribeThing',
      'iot:CreateThing',
      'iot:AttachThingPrincipal',
      'iot:AttachPolicy',
    ].map((action) => [`ProvisioningRole role: ${action} on *`, ['claims a fixed identity', denied(action)]]),
  ),
  'ProvisioningRole role: iot:UpdateThing on *': ['claims again with the same key', denied('iot:UpdateThing')],
  ...Object.fromEntries(
    ['by iot.amazonaws.com', 'if aws:SourceAccount', 'if aws:SourceArn'].map((what) => [
      `ProvisioningRole trust: sts:AssumeRole ${what}`,
      ['claims a fixed identity', /^rejected: 403 AccessDenied AWS IoT cannot assume the provisioning role/],
    ]),
  ),
};

/** The seed's four actions on each stream that a mode has, and the way to the credentials. */
function cameras(): Needs {
  const modes: [role: string, mode: string, resources: [what: string, resource: string][]][] = [
    [
      'ThingNameCameraRole',
      'thing-name',
      [
        ['stream', '{credentials-iot:ThingName}/*'],
        ['channel', '{credentials-iot:ThingName}.*/*'],
      ],
    ],
    ['CertificateIdCameraRole', 'certificate-id', [['stream', '{credentials-iot:AwsCertificateId}/*']]],
    ['FixedCameraRole', 'fixed', [['stream', 'fixed/*']]],
  ];
  const actions = ['DescribeStream', 'PutMedia', 'TagStream', 'GetDataEndpoint'];
  return Object.fromEntries(
    modes.flatMap(([role, mode, resources]): [string, Needs[string]][] => [
      ...resources.flatMap(([what, resource]) =>
        actions.map((action): [string, Needs[string]] => [
          `${role} role: kinesisvideo:${action} on stream/${resource}`,
          [`${mode} camera: ${action} on its ${what}`, denied(`kinesisvideo:${action}`)],
        ]),
      ),
      [
        `${role} role: all if credentials-iot:ThingTypeName`,
        [`${mode} camera: PutMedia on its stream`, denied('kinesisvideo:PutMedia')],
      ],
      ...['by credentials.iot.amazonaws.com', 'if aws:SourceAccount', 'if aws:SourceArn'].map(
        (what): [string, Needs[string]] => [
          `${role} trust: sts:AssumeRole ${what}`,
          [`${mode} camera asks for credentials`, NOT_ASSUMABLE],
        ],
      ),
      [
        `device policy: iot:AssumeRoleWithCertificate on rolealias/${mode}`,
        [`${mode} camera asks for credentials`, /^no credentials: 403 Access Denied$/],
      ],
    ]),
  );
}

/** What a claim certificate and a camera's own certificate open over MQTT. */
const messages: Needs = {
  'claim policy: iot:Connect on client/fleet-provisioning-*': ['asks for keys in JSON', CONNECT_REFUSED],
  'claim policy: iot:Connect on client/claim-*': ['sends a CSR in JSON', CONNECT_REFUSED],
  'claim policy: iot:Publish on topic/$aws/certificates/create/json': ['asks for keys in JSON', HUNG_UP],
  'claim policy: iot:Publish on topic/$aws/certificates/create/cbor': ['asks for keys in CBOR', HUNG_UP],
  'claim policy: iot:Publish on topic/$aws/certificates/create-from-csr/json': ['sends a CSR in JSON', HUNG_UP],
  'claim policy: iot:Publish on topic/$aws/certificates/create-from-csr/cbor': ['sends a CSR in CBOR', HUNG_UP],
  'claim policy: iot:Publish on topic/$aws/provisioning-templates/claim/provision/json': [
    'claims a fixed identity',
    HUNG_UP,
  ],
  'claim policy: iot:Publish on topic/$aws/provisioning-templates/claim/provision/cbor': ['claims in CBOR', HUNG_UP],
  'claim policy: iot:Receive on topic/$aws/certificates/create/????/????????': ['asks for keys in JSON', SILENCE],
  'claim policy: iot:Receive on topic/$aws/certificates/create-from-csr/????/????????': [
    'sends a CSR in JSON',
    SILENCE,
  ],
  'claim policy: iot:Receive on topic/$aws/provisioning-templates/claim/provision/????/????????': [
    'claims a fixed identity',
    SILENCE,
  ],
  'claim policy: iot:Subscribe on topicfilter/$aws/certificates/create/????/????????': [
    'asks for keys in CBOR',
    HUNG_UP,
  ],
  'claim policy: iot:Subscribe on topicfilter/$aws/certificates/create-from-csr/????/????????': [
    'sends a CSR in CBOR',
    HUNG_UP,
  ],
  'claim policy: iot:Subscribe on topicfilter/$aws/provisioning-templates/claim/provision/????/????????': [
    'claims in CBOR',
    HUNG_UP,
  ],
  'device policy: iot:Connect on client/{iot:Connection.Thing.ThingName}': ['talks on its own topics', CONNECT_REFUSED],
  'device policy: iot:Connect if iot:Connection.Thing.IsAttached': ['talks on its own topics', CONNECT_REFUSED],
  'device policy: iot:Publish on topic/firstlight/{iot:Connection.Thing.ThingName}/*': [
    'talks on its own topics',
    /^it may not publish$/,
  ],
  'device policy: iot:Receive on topic/firstlight/{iot:Connection.Thing.ThingName}/*': [
    'talks on its own topics',
    SILENCE,
  ],
  'device policy: iot:Subscribe on topicfilter/firstlight/{iot:Connection.Thing.ThingName}/*': [
    'talks on its own topics',
    /^it may not subscribe$/,
  ],
};

const people: Needs = {
  'factory: execute-api:Invoke on POST/devices': ['factory announces', FORBIDDEN],
  'factory: execute-api:Invoke on GET/devices/*': ['factory looks a device up', FORBIDDEN],
  'operator: execute-api:Invoke on POST/devices': ['operator announces', FORBIDDEN],
  'operator: execute-api:Invoke on GET/devices/*': ['operator lists claims', FORBIDDEN],
  'operator: execute-api:Invoke on POST/claim-certificates': ['operator has a CSR made a claim certificate', FORBIDDEN],
  'auditor: execute-api:Invoke on GET/*': ['auditor lists claims', FORBIDDEN],
};

/** The fleet-provisioning half of the stack; needs-line.ts has what is made over HTTP. */
export const mqttNeeds: Needs = { ...functions, ...callers(), ...provisioning, ...cameras(), ...messages, ...people };
