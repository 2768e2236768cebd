import { randomBytes, randomInt } from 'node:crypto';

const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** IAM User Guide, "Unique identifiers": AKIA, ASIA (keys), AIDA (user), AROA (role), ANPA (policy). */
export function uniqueId(prefix: 'AKIA' | 'ASIA' | 'AIDA' | 'AROA' | 'ANPA'): string {
  return prefix + Array.from({ length: 17 }, () => ID_ALPHABET[randomInt(ID_ALPHABET.length)]).join('');
}

export function accessKey(prefix: 'AKIA' | 'ASIA'): { accessKeyId: string; secretAccessKey: string } {
  return {
    accessKeyId: uniqueId(prefix).slice(0, 20),
    secretAccessKey: randomBytes(30).toString('base64'),
  };
}
