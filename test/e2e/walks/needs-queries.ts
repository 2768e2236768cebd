import { FORBIDDEN, FUNCTION_FAILED, type Needs, NO_FUNCTION, SILENCE } from './needs.ts';

const indexes: [index: string, walk: string][] = [
  ['serial', 'auditor lists devices'],
  ['status', 'auditor lists devices by status'],
  ['batch', 'auditor lists devices by batch'],
  ['model', 'auditor lists devices by model'],
  ['claimed', 'auditor lists devices by claim'],
  ['certificate', 'auditor lists the device of a certificate'],
];

/** Lambda reads a table's stream with the function's role: without any of these there is silence. */
const reading = (name: string, table: string, walk: string): Needs =>
  Object.fromEntries([
    ...['GetRecords', 'GetShardIterator', 'DescribeStream', 'ListStreams'].map((action): [string, Needs[string]] => [
      `${name} role: dynamodb:${action} on table/${table}/stream`,
      [walk, SILENCE],
    ]),
    [`${name} role: events:PutEvents on event-bus/`, [walk, SILENCE]],
    [`${name} trust: sts:AssumeRole by lambda.amazonaws.com`, [walk, SILENCE]],
  ]);

const routes: [name: string, walk: string][] = [
  ['listDevices', 'auditor lists devices'],
  ['stats', 'operator reads the counts'],
];

export const queryNeeds: Needs = {
  ...Object.fromEntries(
    indexes.map(([index, walk]) => [
      `listDevices role: dynamodb:Query on table/devices/index/${index}`,
      [walk, FUNCTION_FAILED],
    ]),
  ),
  'listDevices role: dynamodb:GetItem on table/devices': ['auditor lists the device of a certificate', FUNCTION_FAILED],
  'stats role: dynamodb:Query on table/counters': ['operator reads the counts', FUNCTION_FAILED],
  ...Object.fromEntries(
    routes.flatMap(([name, walk]): [string, Needs[string]][] => [
      [`${name} trust: sts:AssumeRole by lambda.amazonaws.com`, [walk, NO_FUNCTION]],
      [`${name} permission: lambda:InvokeFunction by apigateway.amazonaws.com`, [walk, NO_FUNCTION]],
      [`${name} permission: lambda:InvokeFunction if aws:SourceArn`, [walk, NO_FUNCTION]],
    ]),
  ),
  ...reading('onDeviceChange', 'devices', 'an announcement is told'),
  'onDeviceChange role: sqs:SendMessage on event-failures': [
    'an announcement is told in vain, and a letter tells',
    SILENCE,
  ],
  'onClaimRefused role: sqs:SendMessage on event-failures': ['a denial is told in vain, and a letter tells', SILENCE],
  'onDeviceChange role: dynamodb:UpdateItem on table/counters': ['an announcement is counted', SILENCE],
  'onDeviceChange role: dynamodb:BatchWriteItem on table/openings': [
    'a claim is listed under its claim certificate',
    SILENCE,
  ],
  ...reading('onClaimRefused', 'claims', 'a denial is told'),
  'operator: execute-api:Invoke on GET/devices': ['operator lists devices', FORBIDDEN],
  'operator: execute-api:Invoke on GET/stats': ['operator reads the counts', FORBIDDEN],
};
