import { type Command, Option } from 'commander';
import type { Api } from './api.ts';
import { ask } from './connect.ts';
import { instant } from './flag-values.ts';
import type { Pace } from './pace.ts';

export const STATUSES = ['registered', 'claimed', 'active', 'suspended', 'retired'] as const;

/** What a list shows of a device. */
export interface DeviceRow {
  serialNumber: string;
  status: (typeof STATUSES)[number];
  streamMode: string;
  model?: string;
  batch?: string;
  registeredAt: string;
  claimedAt?: string;
  activeAt?: string;
  contestedAt?: string;
}

/** The filters of `GET /devices`; all that are given must hold. */
export interface DeviceFilter {
  status?: string;
  batch?: string;
  model?: string;
  serialPrefix?: string;
  claimedAfter?: string;
  claimedBefore?: string;
  certificateId?: string;
}

export const withFilters = (command: Command): Command =>
  command
    .addOption(new Option('--status <status>', 'where they stand in their life').choices(STATUSES))
    .option('--batch <batch>', 'as it was announced')
    .option('--model <model>', 'as it was announced')
    .option('--serial-prefix <text>', 'what their serial numbers begin with')
    .option('--claimed-after <instant>', 'claimed then or later', instant)
    .option('--claimed-before <instant>', 'claimed earlier', instant)
    .option('--certificate-id <id>', 'the one that holds this certificate');

export const filterOf = (flags: DeviceFilter): DeviceFilter => {
  const { status, batch, model, serialPrefix, claimedAfter, claimedBefore, certificateId } = flags;
  return {
    ...(status !== undefined && { status }),
    ...(batch !== undefined && { batch }),
    ...(model !== undefined && { model }),
    ...(serialPrefix !== undefined && { serialPrefix }),
    ...(claimedAfter !== undefined && { claimedAfter }),
    ...(claimedBefore !== undefined && { claimedBefore }),
    ...(certificateId !== undefined && { certificateId }),
  };
};

/** What one answer of the API holds at most. */
const LARGEST_PAGE = 1000;

interface Page {
  devices: DeviceRow[];
  nextCursor?: string;
}

/** Page after page, the next one asked for when this one was taken; `isLast` once there is nothing behind it. */
export async function* devicePages(
  api: Api,
  filter: DeviceFilter,
  { most = Number.POSITIVE_INFINITY, pace, signal }: { most?: number; pace?: Pace; signal?: AbortSignal } = {},
): AsyncGenerator<{ devices: DeviceRow[]; isLast: boolean }> {
  let left = most;
  for (let cursor: string | undefined, more = true; more && left > 0; more = cursor !== undefined) {
    const query = new URLSearchParams({ ...filter, limit: String(Math.min(left, LARGEST_PAGE)) });
    if (cursor !== undefined) query.set('cursor', cursor);
    const { devices, nextCursor } = await ask<Page>(() => api.get(`/devices?${query}`, signal), pace);
    cursor = nextCursor;
    left -= devices.length;
    yield { devices, isLast: cursor === undefined };
  }
}
