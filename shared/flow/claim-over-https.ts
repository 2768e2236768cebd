import type { ClaimRefusal } from '../domain/claim.ts';
import type { Deployment } from '../domain/connection.ts';
import type { Device } from '../domain/device.ts';
import { limits } from '../domain/limits.ts';
import type { Pin } from '../domain/pin.ts';
import type { RefusedClaim } from '../domain/refusal.ts';
import { proveClaimToken } from '../keys.ts';
import { proveSigningRequest } from '../signing-request.ts';
import { type MakePorts, type MakeSettings, make, type NotMade } from './make.ts';
import { pinnedElsewhere } from './pin.ts';
import { connectionAnswer } from './provision.ts';

export type HttpsClaimPorts = Omit<MakePorts, 'registry'> & {
  registry: {
    /** The device, what is noted of the key, and how many wrong tokens came for the number in this hour; one call, whoever asks. */
    look(
      serialNumber: string,
      publicKeySha256: string,
      at: string,
    ): Promise<{ device?: Device; pin?: Pin; wrongTokens: number }>;
    save(before: Device, after: Device): Promise<boolean>;
  };
  denials: {
    /** What strangers leave behind, bounded; as many writes for one reason as for another. */
    keep(claim: RefusedClaim, as: { announced: boolean; wrongToken: boolean }): Promise<void>;
    contest(serialNumber: string, reason: string, at: string): Promise<void>;
  };
  pause(ms: number): Promise<unknown>;
};

export type HttpsClaimSettings = MakeSettings & {
  deployment: Deployment;
  /** Every denial takes this long, so that its time tells nothing; longer than what there is to do. */
  denialMs: number;
};

/** `reason` and `unrecorded` are for us alone. */
export type HttpsClaimAnswer =
  | { allow: true; connection: ReturnType<typeof connectionAnswer> }
  | { allow: false; reason: ClaimRefusal; unrecorded?: string };

/** A camera asks over HTTPS, unsigned: only a pinned key or an unspent token opens. */
export const claimOverHttps = async (
  request: { serialNumber: string; certificateSigningRequest: string; claimToken?: string },
  ports: HttpsClaimPorts,
  settings: HttpsClaimSettings,
): Promise<HttpsClaimAnswer> => {
  const started = performance.now();
  const { serialNumber, claimToken } = request;
  const { pem, publicKeySha256 } = proveSigningRequest(request.certificateSigningRequest);
  const look = (of: string) => ports.registry.look(of, publicKeySha256, ports.now().toISOString());
  let seen: Awaited<ReturnType<typeof look>> = { wrongTokens: 0 };
  const read = async () => {
    seen = await look(serialNumber);
    return seen.device;
  };
  const prove = (known: Device | undefined) => {
    const proof = proveClaimToken(claimToken, known?.claimTokenSha256);
    return claimToken && seen.wrongTokens >= limits.wrongTokensAnHour ? 'unread' : proof;
  };
  const answer = await make(
    {
      serialNumber,
      door: 'https',
      certificateSigningRequest: pem,
      publicKeySha256,
      prove,
      pinnedElsewhere: () => pinnedElsewhere(seen.pin, serialNumber, async (other) => (await look(other)).device),
    },
    { ...ports, registry: { ...ports.registry, read } },
    settings,
  );
  if (answer.made) return { allow: true, connection: connectionAnswer(answer, settings.deployment) };

  const at = ports.now().toISOString();
  const unrecorded = await writeDown(
    { serialNumber, at, door: 'https', reason: answer.reason, publicKeySha256 },
    answer,
    ports,
  );
  await ports.pause(Math.max(0, settings.denialMs - (performance.now() - started)));
  return { allow: false, reason: answer.reason, ...(unrecorded && { unrecorded }) };
};

/** A refusal stands, whether or not it could be written down. */
const writeDown = async (
  claim: RefusedClaim,
  { announced, contested, reason }: NotMade,
  { denials }: HttpsClaimPorts,
): Promise<string | undefined> => {
  const written = await Promise.allSettled([
    denials.keep(claim, { announced, wrongToken: reason === 'token-invalid' }),
    contested ? denials.contest(claim.serialNumber, claim.reason, claim.at) : undefined,
  ]);
  const failed = written.find((one) => one.status === 'rejected');
  return failed && (failed.reason instanceof Error ? failed.reason.name : 'unknown');
};
