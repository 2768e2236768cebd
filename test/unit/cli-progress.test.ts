import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createProgress } from '../../cli/progress.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const streamOf = (terminal: boolean) => {
  const stream = Object.assign(new PassThrough(), terminal && { isTTY: true, columns: 60 });
  return { stream: stream as unknown as NodeJS.WriteStream, written: () => String(stream.read() ?? '') };
};
const HALF = `${'█'.repeat(15)}${'░'.repeat(15)} 50 %  500 rows`;

it('is a bar on a terminal, drawn over itself ten times a second, never longer than its line', () => {
  const { stream, written } = streamOf(true);
  const progress = createProgress(stream);
  progress.show(0.5, '500 rows');
  expect(written()).toBe(`\r\u001b[K${HALF}`);
  progress.show(0.6, '600 rows');
  expect(written()).toBe('');
  vi.advanceTimersByTime(100);
  progress.show(0.7, 'a word too many'.repeat(10));
  const drawn = written().replace('\r\u001b[K', '');
  expect(drawn).toHaveLength(59);
  expect(drawn).not.toContain('\n');
  progress.note('waiting 1.0 s');
  progress.end();
  expect(written()).toBe('\r\u001b[Kwaiting 1.0 s\n\r\u001b[K');
});

it('is a plain line every five seconds in a pipe, and none for what is quick', () => {
  const { stream, written } = streamOf(false);
  const progress = createProgress(stream);
  progress.show(0.1, '100 rows');
  vi.advanceTimersByTime(4999);
  progress.show(0.4, '400 rows');
  expect(written()).toBe('');
  vi.advanceTimersByTime(1);
  progress.show(0.5, '500 rows');
  progress.show(0.6, '600 rows');
  expect(written()).toBe('50 %  500 rows\n');
  vi.advanceTimersByTime(5000);
  // Of the standard input nobody knows the end.
  progress.show(undefined, '900 rows');
  progress.note('waiting 1.0 s');
  progress.end();
  expect(written()).toBe('900 rows\nwaiting 1.0 s\n');
});
