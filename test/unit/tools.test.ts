import { afterEach, expect, it, vi } from 'vitest';
import { lacking } from '../tools.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

it('says aloud what a machine lacks', () => {
  const said = vi.spyOn(console, 'warn').mockReturnValue();
  vi.stubEnv('REQUIRE_TOOLS', undefined);
  vi.stubEnv('PATH', '/nowhere');
  expect(lacking('the page', 'jq', 'the AWS CLI')).toBe('jq: not installed, the AWS CLI: not installed');
  expect(said).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/^SKIPPED: the page \(jq: not installed/));
});

it('fails where tools are required', () => {
  vi.stubEnv('REQUIRE_TOOLS', '1');
  vi.stubEnv('PATH', '/nowhere');
  expect(() => lacking('the page', 'curl')).toThrow(
    'the page cannot be tested here, and REQUIRE_TOOLS=1: curl: not installed',
  );
  expect(lacking('nothing at all')).toBeUndefined();
});
