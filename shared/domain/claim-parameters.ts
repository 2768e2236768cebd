import type { ClaimRefusal } from './claim.ts';
import { serialNumberProblem } from './serial-number.ts';

/** What a device may send to the claim template. Every other parameter of it is the hook's to set, so sending one is an attack. */
const allowed = ['SerialNumber', 'ClaimToken'];

/** A serial number that nobody can have, under which attempts without a real one are kept. */
const noSerialNumber = '#invalid';

export const readClaimParameters = (
  parameters: Record<string, unknown>,
): { serialNumber: string; claimToken?: string } | { refusal: ClaimRefusal; serialNumber: string; sent?: string } => {
  const { SerialNumber: serialNumber, ClaimToken: claimToken } = parameters;
  if (typeof serialNumber !== 'string' || serialNumberProblem(serialNumber)) {
    const sent = typeof serialNumber === 'string' ? { sent: serialNumber.slice(0, 160) } : {};
    return { refusal: 'invalid-serial', serialNumber: noSerialNumber, ...sent };
  }
  if (Object.keys(parameters).some((name) => !allowed.includes(name))) {
    return { refusal: 'parameter-not-allowed', serialNumber };
  }
  // The template's default, an empty text, is no token; one that is not a text proves nothing either.
  if (claimToken === undefined || claimToken === '') return { serialNumber };
  return { serialNumber, claimToken: String(claimToken) };
};
