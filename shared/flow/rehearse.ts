/** A port that only seems to write: what it would answer if all went well, without a call. What is not named reads as ever. */
export const rehearse = <Port extends object>(
  port: Port,
  answers: { [Name in keyof Port]?: Port[Name] extends (...given: never[]) => Promise<infer Answer> ? Answer : never },
): Port => ({
  ...port,
  ...Object.fromEntries(Object.entries(answers).map(([name, answer]) => [name, async () => answer])),
});
