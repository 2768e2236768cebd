import { denied, type Needs } from './needs.ts';

const NOT_SEEN = /^could not look: \{"AccessDenied(Exception)?":\d+\}$/;

const looks: [walk: string, ...rights: string[]][] = [
  ['denials', ...['ThingName', 'CertificateId', 'Fixed'].map((mode) => `iam:GetRolePolicy on role/${mode}CameraRole`)],
  [
    'records',
    'dynamodb:Scan on table/devices',
    'dynamodb:Query on table/counters',
    'dynamodb:BatchGetItem on table/counters',
  ],
  ['power', 'iot:ListTargetsForPolicy on policy/device', 'dynamodb:Query on table/devices/index/certificate'],
  ['power that no record knows', 'iot:ListPrincipalThings on cert/*'],
  ['inactive', 'iot:ListCertificates on *'],
  ['things', 'iot:ListThings on *', 'dynamodb:BatchGetItem on table/devices'],
  ['a stray thing', 'iot:ListThingPrincipals on thing/*', 'dynamodb:Query on table/devices/index/place'],
  ['devices', 'kinesisvideo:ListStreams on *', 'iot:ListAttachedPolicies on *'],
  ['a wrong counter is set right', 'dynamodb:UpdateItem on table/counters'],
];

/** What reconcile needs to find out what has drifted; what mends it is what ends what was begun. */
export const auditNeeds: Needs = {
  ...Object.fromEntries(
    looks.flatMap(([walk, ...rights]) =>
      rights.map((right): [string, Needs[string]] => [`reconcile role: ${right}`, [`audit: ${walk}`, NOT_SEEN]]),
    ),
  ),
  'operator: lambda:InvokeFunction on function:reconcile': ['operator runs reconcile', denied('lambda:InvokeFunction')],
  ...Object.fromEntries(
    ['dynamodb:GetItem', 'dynamodb:PutItem'].map((action): [string, Needs[string]] => [
      `reconcile role: ${action} on table/counters`,
      ['audit: the schedule begins one', denied(action)],
    ]),
  ),
};
