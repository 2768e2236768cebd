import * as z from 'zod/mini';
import type { FailureCode } from '../../domain/failure.ts';
import { limits } from '../../domain/limits.ts';
import { serialNumber } from '../../domain/manifest.ts';
import {
  claimCertificateAnswer,
  claimCertificateRequest,
  claimCertificatesAnswer,
  disableAnswer,
  disableRequest,
  provisioningClaimAnswer,
  provisioningClaimRequest,
} from './claim-certificate.ts';
import { claimRequest, connectedRequest, connectionAnswer, provisionRequest } from './connection.ts';
import { announceAnswer, announceRequest, certificateId, claimsAnswer, deviceAnswer } from './device.ts';
import { devicesAnswer, devicesQuery, statsAnswer } from './device-list.ts';
import {
  approveClaimRequest,
  orderRequest,
  replaceRequest,
  reprovisioningRequest,
  retireRequest,
} from './lifecycle.ts';

export type Persona = 'factory' | 'operator' | 'auditor';

/** One route of the API: what is sent, what comes back, who may call it. */
export type Route = {
  method: 'GET' | 'POST';
  path: string;
  summary: string;
  /** Who signs: an IAM principal with the persona's policy, a camera with its own role credentials, or nobody. */
  callers: Persona[] | 'camera' | 'anybody';
  pathParameters?: z.ZodMiniType;
  query?: z.ZodMiniType;
  request?: z.ZodMiniType;
  /** The body may be left out. */
  requestOptional?: true;
  /** Of the body, where it is less than `limits.bodyBytes`. */
  mostBytes?: number;
  status: 200 | 201 | 204;
  answer?: z.ZodMiniType;
  /** Failures beyond those of every route (`throughout`). */
  failures: FailureCode[];
};

/** Failures that any route may answer; those of a body only where there is one. */
export const throughout: FailureCode[] = ['invalid-request', 'busy'];
export const ofBodies: FailureCode[] = ['invalid-json', 'unsupported-media-type', 'body-too-large'];

const page = z.strictObject({
  limit: z.optional(z.int().check(z.minimum(1), z.maximum(limits.page))),
  cursor: z.optional(z.string()),
});
/** OpenAPI 3.1; what lies below is the specification's. */
const descriptionAnswer = z.looseObject({ openapi: z.string(), info: z.looseObject({}), paths: z.looseObject({}) });
const bySerialNumber = z.strictObject({ serialNumber });
const byCertificateId = z.strictObject({ certificateId });

/** What an operator does to one device. */
const act = (name: string, summary: string, more: Pick<Route, 'request' | 'requestOptional' | 'failures'>): Route => ({
  method: 'POST',
  path: `/devices/{serialNumber}/${name}`,
  summary,
  callers: ['operator'],
  pathParameters: bySerialNumber,
  status: 200,
  answer: deviceAnswer,
  ...more,
  failures: ['device-not-found', ...more.failures, 'version-conflict'],
});

export const routes: Route[] = [
  {
    method: 'POST',
    path: '/devices',
    summary: 'Announce devices: a verdict a row',
    callers: ['factory', 'operator'],
    request: announceRequest,
    status: 200,
    answer: announceAnswer,
    failures: [],
  },
  {
    method: 'GET',
    path: '/devices',
    summary: 'Devices by status, batch, model, serial prefix, time of claim, certificate',
    callers: ['operator', 'auditor'],
    query: devicesQuery,
    status: 200,
    answer: devicesAnswer,
    failures: ['invalid-cursor'],
  },
  {
    method: 'GET',
    path: '/devices/{serialNumber}',
    summary: 'One device with its history',
    callers: ['factory', 'operator', 'auditor'],
    pathParameters: bySerialNumber,
    status: 200,
    answer: deviceAnswer,
    failures: ['device-not-found'],
  },
  {
    method: 'GET',
    path: '/devices/{serialNumber}/claims',
    summary: 'Every attempt to become this device, the newest first, each with its reason',
    callers: ['operator', 'auditor'],
    pathParameters: bySerialNumber,
    query: page,
    status: 200,
    answer: claimsAnswer,
    failures: ['invalid-cursor'],
  },
  {
    method: 'POST',
    path: '/devices/{serialNumber}/provision',
    summary: 'Make a device on the line: certificate, thing, stream and the way to connect',
    callers: ['factory', 'operator'],
    pathParameters: bySerialNumber,
    request: provisionRequest,
    requestOptional: true,
    status: 201,
    answer: connectionAnswer,
    failures: [
      'invalid-certificate-request',
      'device-not-found',
      'device-suspended',
      'device-retired',
      'device-active',
      'key-mismatch',
      'stream-taken',
      'stream-limit',
      'thing-taken',
      'too-many-certificates',
      'version-conflict',
    ],
  },
  {
    method: 'POST',
    path: '/claims',
    summary: 'A camera takes its identity over HTTPS, by a pinned key or an unspent token',
    callers: 'anybody',
    request: claimRequest,
    mostBytes: limits.cameraBodyBytes,
    status: 201,
    answer: connectionAnswer,
    failures: ['invalid-certificate-request', 'denied'],
  },
  {
    method: 'POST',
    path: '/connected',
    summary: 'A camera that speaks no MQTT says with its first credentials that it lives',
    callers: 'camera',
    request: connectedRequest,
    mostBytes: limits.cameraBodyBytes,
    status: 204,
    failures: ['denied'],
  },
  {
    method: 'POST',
    path: '/claim-certificates',
    summary: 'Make a claim certificate for a batch',
    callers: ['operator'],
    request: claimCertificateRequest,
    requestOptional: true,
    status: 201,
    answer: claimCertificateAnswer,
    failures: ['invalid-certificate-request'],
  },
  {
    method: 'GET',
    path: '/claim-certificates',
    summary: 'Claim certificates, with how many claims each has opened and refused',
    callers: ['operator', 'auditor'],
    query: page,
    status: 200,
    answer: claimCertificatesAnswer,
    failures: ['invalid-cursor'],
  },
  {
    method: 'POST',
    path: '/claim-certificates/{certificateId}/disable',
    summary: 'Disable a claim certificate, and list what it opened; again lists again',
    callers: ['operator'],
    pathParameters: byCertificateId,
    query: page,
    request: disableRequest,
    requestOptional: true,
    status: 200,
    answer: disableAnswer,
    failures: ['claim-certificate-not-found', 'invalid-cursor'],
  },
  {
    method: 'POST',
    path: '/provisioning-claims',
    summary: "A claim certificate for an installer's hands; AWS ends it after five minutes",
    callers: ['factory', 'operator'],
    request: provisioningClaimRequest,
    requestOptional: true,
    status: 201,
    answer: provisioningClaimAnswer,
    failures: [],
  },
  act('suspend', 'Cut a device off, for now', {
    request: orderRequest,
    requestOptional: true,
    failures: ['device-retired'],
  }),
  act('resume', 'Give a suspended device back what it had', {
    request: orderRequest,
    requestOptional: true,
    failures: ['device-not-suspended', 'device-retired'],
  }),
  act('retire', 'Cut a device off for good, and take its certificates and its thing away', {
    request: retireRequest,
    requestOptional: true,
    failures: ['takeover-unfinished'],
  }),
  act('reopen', 'Begin a new life of a retired device, in a new place', {
    request: orderRequest,
    requestOptional: true,
    failures: ['device-not-retired', 'cut-off-unfinished'],
  }),
  act('replace', 'Other hardware takes over place, streams and history', {
    request: replaceRequest,
    failures: ['device-retired', 'device-unclaimed', 'device-replaced', 'takeover-unfinished', 'replacement-not-free'],
  }),
  act('approve-claim', 'Let one key in, for a day, where the re-provisioning policy would not', {
    request: approveClaimRequest,
    failures: ['claim-not-found', 'device-suspended', 'device-retired', 'device-unclaimed', 'key-mismatch'],
  }),
  act('reprovisioning', 'Say what a claim of the device needs once it is active', {
    request: reprovisioningRequest,
    failures: ['device-retired'],
  }),
  {
    method: 'GET',
    path: '/stats',
    summary: 'How many devices there are by status, by batch and by model',
    callers: ['operator', 'auditor'],
    status: 200,
    answer: statsAnswer,
    failures: ['busy'],
  },
  {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This description',
    callers: ['factory', 'operator', 'auditor'],
    status: 200,
    answer: descriptionAnswer,
    failures: [],
  },
];
