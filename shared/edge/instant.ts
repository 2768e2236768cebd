/** Instants are compared as text with what the tables hold, so they are written as those write them: to the millisecond. */
export const instantOf = (text: string): string => new Date(text).toISOString();
