import { type Client, standBefore } from './calls.ts';

const reads = /^(BatchGet|Describe|Get|List|Query|Scan)/;

/** While `isOn`, a call of these clients that could write anything stays here and is answered as if it were done: no code can forget that it only rehearses. */
export const rehearse = (clients: Client[], isOn: () => boolean): void =>
  standBefore(clients, 'rehearse', async (operation, send) =>
    isOn() && !reads.test(operation) ? { output: { $metadata: {} } } : send(),
  );
