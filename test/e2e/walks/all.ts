import type { Camera } from '../../camera-claim.ts';
import type { Outputs } from '../../local-run.ts';
import { apiWalks, deploymentWalk } from './api.ts';
import { auditWalks } from './audit.ts';
import { cameraWalks } from './camera.ts';
import { type ClaimDoor, claimWalks, type Mode, type Walk } from './claim.ts';
import { connectedWalks } from './connected.ts';
import { letterWalks } from './letters.ts';
import { lifecycleWalks } from './lifecycle.ts';
import { lineWalks } from './line.ts';
import { presenceWalks } from './presence.ts';
import { queryWalks } from './queries.ts';
import { renewalWalks } from './renewal.ts';
import { scheduleWalks } from './schedule.ts';

export interface Prepared {
  claimDoor: ClaimDoor;
  presence: Awaited<ReturnType<typeof presenceWalks>>;
  cameras: Record<Mode, Camera>;
}

/** One living camera of each stream mode, the first with a channel, and the way to more. */
export async function prepareCameras(outputs: Outputs, prefix: string): Promise<Prepared> {
  const claimDoor = await claimWalks(outputs);
  const presence = await presenceWalks(outputs, prefix, claimDoor);
  const alive = async (row: Parameters<typeof claimDoor.expectedSerial>[0]) => {
    const camera = await claimDoor.claims(await claimDoor.expectedSerial(row));
    await presence.showsLife(camera, 15_000);
    return camera;
  };
  const cameras = {
    'thing-name': await alive({ streamMode: 'thing-name', channels: ['sub'] }),
    'certificate-id': await alive({ streamMode: 'certificate-id' }),
    fixed: await alive({ streamMode: 'fixed' }),
  };
  return { claimDoor, presence, cameras };
}

/** Every walk by its name. */
export async function prepareWalks(outputs: Outputs, prefix: string): Promise<Record<string, Walk>> {
  const { claimDoor, presence, cameras } = await prepareCameras(outputs, prefix);
  return {
    ...claimDoor.walks,
    ...presence.walks,
    ...(await cameraWalks(outputs, cameras)),
    ...(await apiWalks(outputs, cameras['thing-name'].serialNumber)),
    ...(await lineWalks(outputs, prefix, presence)),
    ...connectedWalks(outputs, prefix),
    ...(await queryWalks(outputs, cameras['thing-name'])),
    ...(await renewalWalks(outputs, claimDoor, presence)),
    ...(await letterWalks(outputs)),
    ...lifecycleWalks(outputs, prefix, claimDoor),
    ...scheduleWalks(outputs, prefix),
    ...auditWalks(outputs, prefix),
    'is deployed': deploymentWalk(outputs, `${prefix}endpoints`),
  };
}
