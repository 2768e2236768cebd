/** What a script may tell apart: `no`: it was done and not all is well; `stuck`: it could not be done. */
export const exitCodes = { no: 1, stuck: 2, interrupted: 130 } as const;

/** Thrown for what the user can act on: one line, no stack. */
export class CommandFailed extends Error {
  override name = 'CommandFailed' as const;
  readonly exitCode: number;
  /** The API's own code, where it said no. */
  readonly code: string | undefined;

  constructor(message: string, exitCode: number = exitCodes.stuck, code?: string) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
  }
}

/** Runs a command; what a person can act on becomes one line and an exit code, anything else is a bug and keeps its stack. */
export async function orOneLine(command: () => Promise<void>): Promise<void> {
  try {
    await command();
  } catch (error) {
    const fromTheSystem = error instanceof Error && 'syscall' in error;
    if (!(error instanceof CommandFailed) && !fromTheSystem) throw error;
    process.exitCode = error instanceof CommandFailed ? error.exitCode : exitCodes.stuck;
    // Whoever reads what this writes has had enough (`| head`): that is told to nobody.
    if (fromTheSystem && (error as NodeJS.ErrnoException).code === 'EPIPE') return;
    console.error(`firstlight: ${error.message}`);
  }
}
