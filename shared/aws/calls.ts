type Answer = { output: object };
type Send = (call: unknown) => Promise<Answer>;

// biome-ignore lint/suspicious/noExplicitAny: each client of the SDK has types of its own for what passes through
export type Client = { middlewareStack: { add(middleware: any, options: { step: 'initialize'; name: string }): void } };

/** Stands before every call of these clients: sends it on, later, or not at all. `name` is the only one of its client. */
export const standBefore = (
  clients: Client[],
  name: string,
  decide: (operation: string, send: () => Promise<Answer>) => Promise<Answer>,
): void => {
  const middleware =
    (next: Send, { commandName = '' }: { commandName?: string }): Send =>
    (call) =>
      decide(commandName.replace(/Command$/, ''), () => next(call));
  for (const { middlewareStack } of clients) middlewareStack.add(middleware, { step: 'initialize', name });
};
