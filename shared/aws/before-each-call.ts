type Next = (call: unknown) => Promise<unknown>;
// biome-ignore lint/suspicious/noExplicitAny: each client of the SDK has types of its own for what passes through
type Client = { middlewareStack: { add(middleware: any, options: { step: 'initialize'; name: string }): void } };

/** Something that happens before these clients send any call, and by throwing keeps it from being sent. `name` is the only one of its client. */
export const beforeEachCall = (
  clients: Client[],
  name: string,
  happens: (operation: string) => Promise<void> | void,
): void => {
  const middleware =
    (next: Next, { commandName = '' }: { commandName?: string }): Next =>
    async (call) => {
      await happens(commandName.replace(/Command$/, ''));
      return next(call);
    };
  for (const { middlewareStack } of clients) middlewareStack.add(middleware, { step: 'initialize', name });
};
