/** One line of JSON for one thing that happened. Never an event, a body, a token, a PEM. */
export const log = (what: string, details: Record<string, unknown> = {}): void => {
  console.log(JSON.stringify({ what, ...details }));
};

/** What may be told of an error: AWS's messages name resources and never secrets. */
export const logError = (what: string, error: unknown, details: Record<string, unknown> = {}): void => {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  const requestId = (error as { $metadata?: { requestId?: string } } | undefined)?.$metadata?.requestId;
  console.error(JSON.stringify({ what, ...details, error: name, message, requestId, stack }));
};
