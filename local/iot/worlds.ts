import { AwsError } from '../error.ts';
import type { Issuer } from './issuer.ts';

/** Keys take time to make: a certificate that was asked for before a reset must not come up after it. */
export function createWorlds() {
  let world = 0;
  const within =
    <Given extends unknown[], Issued>(issue: (...given: Given) => Promise<Issued>) =>
    async (...given: Given): Promise<Issued> => {
      const born = world;
      const issued = await issue(...given);
      if (born !== world) throw new AwsError('InternalFailureException', 500, 'The stand-in was reset.');
      return issued;
    };
  return {
    /** What is under way from here on belongs to the world before. */
    beginNext() {
      world += 1;
    },
    ofOneWorld: (issuer: Issuer): Issuer => ({
      ...issuer,
      fromCsr: within(issuer.fromCsr),
      withNewKeys: within(issuer.withNewKeys),
    }),
  };
}
