import { describe, expect, test } from 'vitest';
import { isTopicFilter, isTopicName, topicMatches } from '../../local/iot/topics.ts';

describe('topicMatches', () => {
  test.each([
    ['a/b', 'a/b'],
    ['a/+', 'a/b'],
    ['+/b', 'a/b'],
    ['+/+', '/a'],
    ['a/#', 'a/b'],
    ['a/#', 'a/b/c'],
    ['a/#', 'a/'],
    ['#', 'a/b'],
    ['$aws/#', '$aws/x'],
    ['$aws/events/presence/connected/+', '$aws/events/presence/connected/cam'],
  ])('%s takes %s', (filter, topic) => {
    expect(topicMatches(filter, topic)).toBe(true);
  });

  test.each([
    ['a/b', 'a/B'],
    ['a/b', 'a/b/c'],
    ['a/b/c', 'a/b'],
    ['a/+', 'a'],
    ['a/+', 'a/b/c'],
    ['a/#', 'a'], // AWS's own difference from the standard
    ['#', '$aws/x'],
    ['+/x', '$aws/x'],
    ['a+', 'ab'],
  ])('%s does not take %s', (filter, topic) => {
    expect(topicMatches(filter, topic)).toBe(false);
  });
});

test.each<[string, boolean, boolean]>([
  ['a', true, true],
  ['a/+/c', false, true],
  ['a/#', false, true],
  ['#', false, true],
  ['a#', false, false],
  ['#/a', false, false],
  ['a+/b', false, false],
  ['', false, false],
  ['a\u0000', false, false],
  ['1/2/3/4/5/6/7/8', true, true],
  ['1/2/3/4/5/6/7/8/9', false, false],
  ['$aws/rules/one/1/2/3/4/5/6/7/8', true, true],
  ['x'.repeat(256), true, true],
  ['x'.repeat(257), false, false],
  ['ä'.repeat(129), false, false],
])('%j as name and as filter', (text, name, filter) => {
  expect([isTopicName(text), isTopicFilter(text)]).toEqual([name, filter]);
});
