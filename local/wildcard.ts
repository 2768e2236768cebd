/**
 * `*` is any text, `?` any character; a NUL makes the one behind it text (a filled-in value is never a pattern).
 * Steps back to the last `*` only, so no pattern makes it slow.
 */
export function wildcard(pattern: string, value: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let seen = 0; seen < value.length; ) {
    const marked = pattern[at] === '\u0000';
    const wanted = pattern[marked ? at + 1 : at];
    if (wanted === '*' && !marked) {
      star = at++;
      resume = seen;
    } else if (wanted === value[seen] || (wanted === '?' && !marked)) {
      at += marked ? 2 : 1;
      seen++;
    } else {
      if (star === -1) return false;
      at = star + 1;
      seen = ++resume;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
