import { HOOK_SAYS_NO, HUNG_UP, type Needs, SILENCE } from './needs.ts';

const UNWRITTEN = /was not written/;
const SENDS = 'topic/$aws/certificates/create-from-csr';
const RENEWS = 'topic/$aws/provisioning-templates/renew/provision';
const filter = (topic: string) => topic.replace('topic/', 'topicfilter/');

/** What a renewal needs of the stack. */
export const renewalNeeds: Needs = {
  'renewalHook role: dynamodb:GetItem on table/devices': ['renews in JSON', HOOK_SAYS_NO],
  'renewalHook role: dynamodb:UpdateItem on table/devices': ['renews in JSON', HOOK_SAYS_NO],
  'renewalHook role: dynamodb:UpdateItem on table/claims': ['is refused a renewal, for the operator to see', UNWRITTEN],
  'renewalHook role: dynamodb:PutItem on table/claims': ['is refused a renewal, for the operator to see', UNWRITTEN],
  'renewalHook role: kinesisvideo:CreateStream on stream/*': ['renews a certificate-id identity', HOOK_SAYS_NO],
  'renewalHook role: kinesisvideo:ListTagsForStream on stream/*': [
    'renews, and the new stream is there already',
    HOOK_SAYS_NO,
  ],
  'renewalHook trust: sts:AssumeRole by lambda.amazonaws.com': ['renews in JSON', HOOK_SAYS_NO],
  'renewalHook permission: lambda:InvokeFunction by iot.amazonaws.com': ['renews in JSON', HOOK_SAYS_NO],
  'renewalHook permission: lambda:InvokeFunction if aws:SourceArn': ['renews in JSON', HOOK_SAYS_NO],
  'renewalHook permission: lambda:InvokeFunction if aws:SourceAccount': ['renews in JSON', HOOK_SAYS_NO],

  [`device policy: iot:Publish on ${SENDS}/json`]: ['renews in JSON', HUNG_UP],
  [`device policy: iot:Publish on ${SENDS}/cbor`]: ['renews in CBOR', HUNG_UP],
  [`device policy: iot:Publish on ${RENEWS}/json`]: ['renews in JSON', HUNG_UP],
  [`device policy: iot:Publish on ${RENEWS}/cbor`]: ['renews in CBOR', HUNG_UP],
  [`device policy: iot:Receive on ${SENDS}/????/????????`]: ['renews in JSON', SILENCE],
  [`device policy: iot:Receive on ${RENEWS}/????/????????`]: ['renews in JSON', SILENCE],
  [`device policy: iot:Subscribe on ${filter(SENDS)}/????/????????`]: ['renews in CBOR', HUNG_UP],
  [`device policy: iot:Subscribe on ${filter(RENEWS)}/????/????????`]: ['renews in CBOR', HUNG_UP],
};
