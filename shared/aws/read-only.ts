import { beforeEachCall } from './before-each-call.ts';

const reads = /^(BatchGet|Describe|Get|List|Query|Scan)/;

/** While `isOn`, a call of these clients that could write anything is an error before it leaves: what a rehearsal has overlooked does no harm. */
export const readOnly = (clients: Parameters<typeof beforeEachCall>[0], isOn: () => boolean): void =>
  beforeEachCall(clients, 'readOnly', (operation) => {
    if (isOn() && !reads.test(operation)) throw new Error(`a dry run must not call ${operation}`);
  });
