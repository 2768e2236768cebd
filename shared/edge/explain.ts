import { reasons } from './openapi/reasons.ts';

/** A claim with its reason in words and what to do about it. */
export const explained = <Claim extends { reason: keyof typeof reasons }>(claim: Claim) => ({
  ...claim,
  ...reasons[claim.reason],
});
