import type { Link } from '../link.ts';
import { certificatesLink } from './certificates.ts';
import { claimsLink } from './claims.ts';
import { denialsLink } from './denials.ts';
import type { DevicePatient } from './record.ts';
import { recordLink } from './record.ts';
import { streamsLink } from './streams.ts';
import { thingLink } from './thing.ts';
import { unfinishedLink } from './unfinished.ts';

/** One device's chain, in the order in which it comes to be. */
export const deviceLinks: Link<DevicePatient>[] = [
  recordLink,
  claimsLink,
  unfinishedLink,
  thingLink,
  certificatesLink,
  streamsLink,
  denialsLink,
];
