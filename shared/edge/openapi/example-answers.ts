import { reasons } from './reasons.ts';
import { lineKeySha256, pinnedKeySha256 } from './signing-requests.ts';

// What the requests of examples.ts are answered. Certificates and keys are cut short.

const certificatePem = '-----BEGIN CERTIFICATE-----\nMIIC…\n-----END CERTIFICATE-----\n';
const privateKey = '-----BEGIN RSA PRIVATE KEY-----\nMIIE…\n-----END RSA PRIVATE KEY-----\n';
const mqttEndpoint = 'a1b2c3d4e5f6g7-ats.iot.us-east-1.amazonaws.com';
const credentialEndpoint = 'c1d2e3f4g5h6i7.credentials.iot.us-east-1.amazonaws.com';
const roleAlias = 'firstlight-prod-thing-name';
const factory = 'arn:aws:iam::123456789012:user/line-3';
const operator = 'arn:aws:iam::123456789012:user/ops';

const first = '8f0b3c392518796c8868a2225f5564af1e0d0feb84319b317703a0f0154d6f1b';
const second = '3caf89179f224012741c5961b5f50663dde50079b7158b334c89fb822a2fb1f5';
const secondKey = '2818d169782d85afbdc820765e5138ccafa296a39f6a7ed4e16cd660419efb9b';
const claimed = '61c8c3978d4c6e335b329cfe20be034b07171903641ac055a36c16e499b685a6';
const strange = 'cb683ee689ea03543f4d0f4897bec71f03a954c69dd0a07785b1fd450952a569';
export const claimCertificateId = '44346afb7d69f629bec5b9f8bc92f89c92ab39401232ba1c87b0466caf68d65f';

const connection = (serialNumber: string, certificateId: string, channels = '') => ({
  serialNumber,
  thingName: serialNumber,
  certificateId,
  certificatePem,
  connection: {
    region: 'us-east-1',
    mqttEndpoint,
    credentialEndpoint,
    credentialUrl: `https://${credentialEndpoint}/role-aliases/${roleAlias}/credentials`,
    roleAlias,
    streamName: serialNumber,
    channels,
    kvssink: `stream-name="${serialNumber}" aws-region="us-east-1" iot-certificate="iot-certificate,endpoint=${credentialEndpoint},cert-path=certificate.pem,key-path=private.key,ca-path=ca.pem,role-aliases=${roleAlias},iot-thing-name=${serialNumber}"`,
  },
});

const granted = (certificateId: string, publicKeySha256: string) => ({
  assurance: 'line',
  door: 'line',
  certificateId,
  publicKeySha256,
});

const device = {
  serialNumber: 'CAM-0002',
  version: 8,
  status: 'active',
  thingName: 'CAM-0002',
  streamMode: 'thing-name',
  channels: [],
  model: 'A1',
  batch: '2026-48',
  attributes: { colour: 'white' },
  claimToken: 'none',
  registeredAt: '2026-11-24T06:13:20.041Z',
  claimedAt: '2026-11-24T06:13:25.580Z',
  activeAt: '2026-11-24T06:13:28.957Z',
  certificates: [
    { id: first, publicKeySha256: lineKeySha256, door: 'line', state: 'leaving', since: '2026-11-24T06:13:26.208Z' },
    { id: second, publicKeySha256: secondKey, door: 'line', state: 'current', since: '2026-11-24T06:13:28.957Z' },
  ],
  streams: [{ name: 'CAM-0002', state: 'made', since: '2026-11-24T06:13:25.580Z' }],
  dueAt: '2026-11-24T06:13:26.208Z',
  history: [
    { at: '2026-11-24T06:13:20.041Z', by: factory, what: 'announced' },
    { at: '2026-11-24T06:13:25.085Z', by: factory, what: 'making' },
    { at: '2026-11-24T06:13:25.580Z', by: factory, what: 'claimed', claim: granted(first, lineKeySha256) },
    { at: '2026-11-24T06:13:25.612Z', by: factory, what: 'made' },
    { at: '2026-11-24T06:13:25.691Z', by: factory, what: 'making' },
    { at: '2026-11-24T06:13:26.208Z', by: factory, what: 'claimed', claim: granted(second, secondKey) },
    { at: '2026-11-24T06:13:26.239Z', by: factory, what: 'made' },
    { at: '2026-11-24T06:13:28.957Z', by: `certificate:${second}`, what: 'shown-life' },
  ],
};

const claim = { door: 'mqtt', claimCertificateId, clientId: 'claim-5f2c' };
const claims = [
  {
    ...claim,
    claimId: '2026-11-24T06:20:08.300Z#cb683ee689ea0354',
    at: '2026-11-24T06:20:08.300Z',
    outcome: 'refused',
    reason: 'already-claimed',
    ...reasons['already-claimed'],
    certificateId: strange,
    publicKeySha256: secondKey,
  },
  {
    ...claim,
    claimId: '2026-11-24T06:20:01.299Z#61c8c3978d4c6e33',
    at: '2026-11-24T06:20:01.299Z',
    outcome: 'granted',
    reason: 'allow-list',
    ...reasons['allow-list'],
    certificateId: claimed,
    publicKeySha256: pinnedKeySha256,
  },
];

const made = { createdAt: '2026-11-24T06:18:56.164Z', createdBy: operator };
const ofBatch = {
  batch: '2026-48',
  claimWindow: { from: '2026-11-01T00:00:00Z', until: '2036-11-01T00:00:00Z' },
  ...made,
};
const used = { certificateId: claimCertificateId, kind: 'batch', ...ofBatch, opened: 1, refused: 1 };
const listed = { ...used, lastRefusedAt: '2026-11-24T06:20:08.300Z' };
const disabled = {
  ...listed,
  disabledAt: '2026-11-24T06:25:00.660Z',
  disabledBy: operator,
  devices: [{ serialNumber: 'CAM-0004', openedAt: '2026-11-24T06:20:01.299Z', certificateId: claimed }],
};

const created = (serialNumber: string) => ({ serialNumber, outcome: 'created' });
const contradiction = {
  code: 'duplicate-serial',
  detail: 'an earlier row of this request says something else of this serial number',
};

export const answers = {
  announceDevices: {
    announce: { value: { results: ['CAM-0001', 'CAM-0002', 'CAM-0003'].map(created) } },
    dryRun: { value: { results: [{ serialNumber: 'CAM-0002', outcome: 'updated' }] } },
    rejected: {
      value: {
        results: [created('CAM-0004'), { serialNumber: 'CAM-0004', outcome: 'rejected', problem: contradiction }],
      },
    },
  },
  listDevices: {
    answer: {
      value: {
        devices: [
          {
            serialNumber: 'CAM-0002',
            status: 'active',
            streamMode: 'thing-name',
            model: 'A1',
            batch: '2026-48',
            registeredAt: '2026-11-24T06:13:20.041Z',
            claimedAt: '2026-11-24T06:13:25.580Z',
            activeAt: '2026-11-24T06:13:28.957Z',
          },
        ],
      },
    },
  },
  stats: {
    answer: {
      value: {
        status: { registered: 1, claimed: 2, active: 1, suspended: 0, retired: 0 },
        batch: { '2026-48': 4 },
        model: { A1: 3 },
      },
    },
  },
  getDevice: { answer: { value: device } },
  listClaims: { answer: { value: { claims } } },
  provisionDevice: {
    ownKey: { value: connection('CAM-0002', first) },
    keyByAws: { value: { ...connection('CAM-0002', second), privateKey } },
  },
  claimOverHttps: {
    pinnedKey: { value: connection('CAM-0001', claimed) },
    token: { value: connection('CAM-0003', strange, 'main,sub') },
  },
  createClaimCertificate: {
    keyByAws: { value: { certificateId: claimCertificateId, certificatePem, privateKey, ...ofBatch } },
    ownKey: { value: { certificateId: strange, certificatePem, ...made } },
  },
  listClaimCertificates: {
    answer: {
      value: {
        claimCertificates: [listed, { certificateId: strange, kind: 'batch', ...made, opened: 0, refused: 0 }],
      },
    },
  },
  disableClaimCertificate: { disable: { value: disabled }, since: { value: disabled } },
  createProvisioningClaim: {
    ofBatch: {
      value: {
        certificateId: claimed,
        certificatePem,
        privateKey,
        expiresAt: '2026-11-24T06:30:04.496Z',
        templateName: 'firstlight-prod-claim',
        mqttEndpoint,
        batch: '2026-48',
      },
    },
  },
};
