const BAR = 30;
const REDRAW_MS = 100;
const LINE_MS = 5000;

export interface Progress {
  /** `done`: 0 to 1 where the end is known. */
  show(done: number | undefined, words: string): void;
  /** Above the bar, or in its turn. */
  note(line: string): void;
  end(): void;
}

/** A bar on a terminal; in a pipe a plain line every five seconds. On stderr: stdout is for results. */
export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  const live = stream.isTTY === true;
  let next = live ? 0 : performance.now() + LINE_MS;
  const clear = live ? '\r\u001b[K' : '';

  return {
    show(done, words) {
      const now = performance.now();
      if (now < next) return;
      next = now + (live ? REDRAW_MS : LINE_MS);
      const percent = done === undefined ? '' : `${Math.floor(done * 100)} %  `;
      const full = Math.round((done ?? 0) * BAR);
      const bar = live && done !== undefined ? `${'█'.repeat(full)}${'░'.repeat(BAR - full)} ` : '';
      stream.write(
        `${clear}${`${bar}${percent}${words}`.slice(0, live ? (stream.columns || 80) - 1 : undefined)}${live ? '' : '\n'}`,
      );
    },
    note(line) {
      stream.write(`${clear}${line}\n`);
      if (live) next = 0;
    },
    end() {
      stream.write(clear);
    },
  };
}
