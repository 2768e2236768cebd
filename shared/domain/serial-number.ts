const alphabet = /^[A-Za-z0-9_-]{1,128}$/;

/** Why a text cannot be a serial number, in words; `undefined` if it can. */
export const serialNumberProblem = (text: string, fixedStream?: string): string | undefined => {
  if (!alphabet.test(text)) return 'must be 1 to 128 of A-Z a-z 0-9 _ -';
  // A thing named like a certificate id could be taken for one wherever a name is either.
  if (/^[0-9a-f]{64}$/i.test(text)) return 'must not look like a certificate id (64 hex digits)';
  // `reopen` names the places of later lives that way.
  if (/-r[0-9]+$/.test(text)) return 'must not end in -r and a number, which names later lives of a device';
  // The claim policy lets any holder of a claim certificate connect under these client ids.
  if (/^(fleet-provisioning-|claim-)/.test(text)) return 'must not begin like the client id of a claim';
  if (text === fixedStream) return 'must not be the name of the fixed stream';
  return undefined;
};
