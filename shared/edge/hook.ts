import * as z from 'zod/mini';
import { log, logError } from './log.ts';

/** AWS IoT developer guide, "Pre-provisioning hooks": the members of the event; unknown ones may come any day. */
const hookEvent = z.object({
  claimCertificateId: z.optional(z.string()),
  certificateId: z.string(),
  certificatePem: z.string(),
  templateArn: z.string(),
  clientId: z.optional(z.string()),
  parameters: z._default(z.record(z.string(), z.unknown()), {}),
});

type HookRequest = {
  claimCertificateId?: string;
  certificateId: string;
  certificatePem: string;
  clientId?: string;
  parameters: Record<string, unknown>;
};

type HookDecision =
  | { allow: true; parameters: Record<string, string> }
  | { allow: false; reason: string; unrecorded?: string };

export type HookResponse = { allowProvisioning: boolean; parameterOverrides?: Record<string, string> };

/** Anything but a clean yes is a no: the hook never throws, and the device learns nothing of why. `what` is decided, for the log. */
export const hook =
  (what: 'claim' | 'renewal', decide: (request: HookRequest) => Promise<HookDecision>) =>
  async (event: unknown): Promise<HookResponse> => {
    const parsed = hookEvent.safeParse(event);
    if (!parsed.success) {
      log(what, { outcome: 'denied', reason: 'not-a-hook-event' });
      return { allowProvisioning: false };
    }
    const { claimCertificateId, clientId, certificateId, certificatePem, parameters } = parsed.data;
    const request: HookRequest = {
      certificateId,
      certificatePem,
      parameters,
      ...(claimCertificateId !== undefined && { claimCertificateId }),
      ...(clientId !== undefined && { clientId }),
    };
    const about = {
      serialNumber: String(parameters.SerialNumber ?? '').slice(0, 160),
      certificateId,
      claimCertificateId,
    };
    try {
      const decision = await decide(request);
      if (!decision.allow) {
        const { reason, unrecorded } = decision;
        log(what, { ...about, outcome: 'denied', reason, ...(unrecorded && { unrecorded }) });
        return { allowProvisioning: false };
      }
      log(what, { ...about, outcome: 'granted' });
      return { allowProvisioning: true, parameterOverrides: decision.parameters };
    } catch (error) {
      logError(what, error, { ...about, outcome: 'denied', reason: 'outage' });
      return { allowProvisioning: false };
    }
  };
