import { lineRequest, pinnedKeySha256, pinnedRequest, tokenedRequest } from './signing-requests.ts';

// One story: three cameras are announced, one is made on the line, two claim. Sent in this order each is accepted as it stands.

const claimToken = '9f0c1e7ab2d44f6e8c53a1b7d0e2f496';
export const requests = {
  announceDevices: {
    announce: {
      summary: 'A pinned key, a bare serial number, a token',
      value: {
        devices: [
          { serialNumber: 'CAM-0001', model: 'A1', batch: '2026-48', publicKeySha256: pinnedKeySha256 },
          { serialNumber: 'CAM-0002', model: 'A1', batch: '2026-48', attributes: { colour: 'white' } },
          { serialNumber: 'CAM-0003', model: 'A1', batch: '2026-48', claimToken, channels: ['main', 'sub'] },
        ],
      },
    },
    dryRun: {
      summary: 'What would happen',
      value: { devices: [{ serialNumber: 'CAM-0002', model: 'A2', batch: '2026-48' }], dryRun: true },
    },
    rejected: {
      summary: 'Two rows that contradict each other',
      value: {
        devices: [
          { serialNumber: 'CAM-0004', batch: '2026-48' },
          { serialNumber: 'CAM-0004', batch: '2026-48', streamMode: 'certificate-id' },
        ],
      },
    },
  },
  provisionDevice: {
    ownKey: { summary: 'For a key that the camera has', value: { certificateSigningRequest: lineRequest } },
    keyByAws: { summary: 'AWS makes the key', value: {} },
  },
  connected: { connected: { value: { serialNumber: 'CAM-0002' } } },
  claimOverHttps: {
    pinnedKey: {
      summary: 'By the pinned key',
      value: { serialNumber: 'CAM-0001', certificateSigningRequest: pinnedRequest },
    },
    token: {
      summary: 'By its token',
      value: { serialNumber: 'CAM-0003', certificateSigningRequest: tokenedRequest, claimToken },
    },
  },
  createClaimCertificate: {
    keyByAws: {
      summary: 'For a batch and a time; AWS makes the key',
      value: { batch: '2026-48', claimWindow: { from: '2026-11-01T00:00:00Z', until: '2036-11-01T00:00:00Z' } },
    },
    ownKey: { summary: 'For a key of the factory', value: { certificateSigningRequest: lineRequest } },
  },
  disableClaimCertificate: {
    disable: { value: {} },
    since: { summary: 'What it opened since it leaked', value: { openedSince: '2026-11-24T06:00:00Z' } },
  },
  createProvisioningClaim: { ofBatch: { value: { batch: '2026-48' } } },
  suspendDevice: { suspend: { value: { reason: 'reported stolen' } } },
  resumeDevice: { resume: { value: { reason: 'found again' } } },
  approveClaim: {
    key: { summary: 'For a key that ops knows', value: { publicKeySha256: pinnedKeySha256, reason: 'new mainboard' } },
  },
  replaceDevice: { replace: { value: { by: 'CAM-0005', reason: 'broken lens' } } },
  setReprovisioning: { refuse: { value: { policy: 'refuse', reason: 'mounted where nobody can reset it' } } },
  retireDevice: {
    retire: { summary: 'The streams stay', value: { reason: 'sold' } },
  },
  reopenDevice: { reopen: { value: { reason: 'a new owner' } } },
};
