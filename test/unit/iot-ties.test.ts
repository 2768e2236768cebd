import { expect, it } from 'vitest';
import { leftOf, noTies, rightOf, tie, untie, untieRight } from '../../local/iot/ties.ts';

const three = () => {
  const ties = noTies<'fast' | 'loose'>();
  tie(ties, 'thing-a', 'arn-1', 'fast');
  tie(ties, 'thing-b', 'arn-1', 'loose');
  tie(ties, 'thing-b', 'arn-2', 'loose');
  return ties;
};

it('are found from both ends', () => {
  const ties = three();
  expect([...leftOf(ties, 'arn-1')]).toEqual([
    ['thing-a', 'fast'],
    ['thing-b', 'loose'],
  ]);
  expect([...rightOf(ties, 'thing-b').keys()]).toEqual(['arn-1', 'arn-2']);
  expect([leftOf(ties, 'arn-3').size, rightOf(ties, 'thing-c').size]).toEqual([0, 0]);
  tie(ties, 'thing-b', 'arn-1', 'fast');
  expect(leftOf(ties, 'arn-1').get('thing-b')).toBe('fast');
  expect(rightOf(ties, 'thing-b').get('arn-1')).toBe('fast');
});

it('end at both ends, and leave nothing', () => {
  const ties = three();
  expect(untie(ties, 'thing-a', 'arn-2')).toBe(false);
  expect(untie(ties, 'thing-a', 'arn-1')).toBe(true);
  expect(untie(ties, 'thing-a', 'arn-1')).toBe(false);
  expect([...leftOf(ties, 'arn-1').keys()]).toEqual(['thing-b']);
  untieRight(ties, 'arn-1');
  expect([...rightOf(ties, 'thing-b').keys()]).toEqual(['arn-2']);
  untieRight(ties, 'arn-2');
  expect(ties).toEqual(noTies());
});

it('are data: a copy is another', () => {
  const ties = three();
  const copy = structuredClone(ties);
  untieRight(ties, 'arn-1');
  expect(copy).toEqual(three());
});
