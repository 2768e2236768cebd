import { expect, it } from 'vitest';
import { bucketsOf, isWithin } from '../../local/apigateway-throttle.ts';

const settings = { 'POST /claims': { ThrottlingRateLimit: '2', ThrottlingBurstLimit: '3' } };

it('lets a burst through, then so many a second', () => {
  const bucket = bucketsOf(settings, ['POST /claims'], 0).get('POST /claims');
  const through = (now: number) => Array.from({ length: 5 }, () => isWithin(bucket, now)).filter(Boolean).length;
  expect([through(0), through(0), through(500), through(1500), through(60_000)]).toEqual([3, 0, 1, 2, 3]);
  expect(isWithin(undefined, 0)).toBe(true);
});

it('is refused, as AWS does, for a route that is not there yet, or a setting it does not know', () => {
  expect(() => bucketsOf(settings, [], 0)).toThrow('Unable to find Route by key POST /claims');
  expect(() => bucketsOf({ a: { DataTraceEnabled: true } }, ['a'], 0)).toThrow('DataTraceEnabled');
});
