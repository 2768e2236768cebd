import { broken, type Link, well } from './link.ts';
import type { Patient } from './patient.ts';
import { byHand } from './remedy.ts';

/** An update that was rolled back has left the former stack whole. */
const WHOLE = ['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'UPDATE_ROLLBACK_COMPLETE', 'IMPORT_COMPLETE'];

export const stackLink: Link<Patient> = {
  name: 'stack',
  asks: 'Is the stack deployed to its end?',
  subjects: ({ stack }) => [
    {
      subject: stack.name,
      async look() {
        const unmade = stack.resources.filter(({ physicalId }) => physicalId === undefined);
        const deploys = byHand(`npm run deploy -- --stage ${stack.name.replace(/^firstlight-/, '')}`);
        if (unmade.length > 0) {
          const names = unmade.map(({ logicalId }) => logicalId).join(', ');
          return broken(`it is ${stack.status}, and these were never made: ${names}`, deploys);
        }
        const isOnItsWay = /_IN_PROGRESS$/.test(stack.status);
        if (WHOLE.includes(stack.status)) return well(stack.status);
        return broken(`it is ${stack.status}`, isOnItsWay ? byHand('wait until it is through') : deploys);
      },
    },
  ],
};
