import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, standBefore } from './calls.ts';

/**
 * AWS's default quotas, calls a second (AWS General Reference, "AWS IoT Core endpoints and quotas"; Kinesis Video Streams guide,
 * "Quotas"). ListTargetsForPolicy and ListCertificates have none that is published, and go like the other lists.
 */
const quotas: Record<string, number> = {
  CreateThing: 100,
  UpdateThing: 100,
  DeleteThing: 100,
  DescribeThing: 350,
  AttachThingPrincipal: 100,
  DetachThingPrincipal: 100,
  AttachPolicy: 15,
  DetachPolicy: 15,
  UpdateCertificate: 10,
  DescribeCertificate: 10,
  DeleteCertificate: 10,
  ListAttachedPolicies: 15,
  ListThingPrincipals: 20,
  ListPrincipalThings: 10,
  ListThings: 10,
  ListTargetsForPolicy: 10,
  ListCertificates: 10,
  CreateStream: 50,
  DescribeStream: 300,
  TagStream: 50,
  DeleteStream: 50,
  ListTagsForStream: 50,
  ListStreams: 50,
};

/** Lets the calls of these clients go out no faster than this share of each quota: the rest is for cameras and people. */
export const pace = (clients: Client[], percent: number): void => {
  if (percent < 1) throw new Error('the share of a quota must be at least one percent');
  /** By operation: when the next call may go, on the clock of `performance`. */
  const nextAt = new Map<string, number>();
  standBefore(clients, 'pace', async (operation, send) => {
    const quota = quotas[operation];
    if (quota === undefined) return send();
    const now = performance.now();
    const at = Math.max(now, nextAt.get(operation) ?? 0);
    nextAt.set(operation, at + 100_000 / (quota * percent));
    if (at > now) await sleep(at - now);
    return send();
  });
};
