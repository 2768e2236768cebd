import { expect, test } from 'vitest';
import { createMkvReader, type MkvEvent } from '../../local/kinesisvideo/mkv.ts';
import {
  block,
  CLUSTER,
  cluster,
  EBML,
  END_OF_FRAGMENT,
  element,
  footage,
  head,
  header,
  INFO,
  SEGMENT,
  TAGS,
  TRACKS,
  tag,
} from './matroska.ts';

function read(body: Buffer, chunkSize = body.length): MkvEvent[] {
  const reader = createMkvReader();
  const events: MkvEvent[] = [];
  for (let at = 0; at < body.length; at += chunkSize) events.push(...reader.push(body.subarray(at, at + chunkSize)));
  events.push(...reader.end());
  return events;
}

const types = (events: MkvEvent[]) => events.map((event) => event.type).join(' ');

test('a cluster opens with its timecode and closes when the next one begins', () => {
  const events = read(Buffer.concat([head(), cluster(1000), cluster(2000, [block(1, 0), block(1, 500)])]));
  expect(types(events)).toBe('tracks opened frame closed opened frame frame closed');
  expect(events[1]).toEqual({ type: 'opened', timecodeMs: 1000 });
  expect(events[6]).toMatchObject({ trackNumber: 1, timecodeMs: 2500 });
});

test('the end-of-fragment tag closes a fragment at once, any other tag does not', () => {
  const reader = createMkvReader();
  const start = Buffer.concat([head(), cluster(0), tag('LOCATION')]);
  expect(types([...reader.push(start)])).toBe('tracks opened frame');
  expect(types([...reader.push(END_OF_FRAGMENT)])).toBe('closed');
  expect(types([...reader.push(cluster(1000)), ...reader.end()])).toBe('opened frame closed');
});

test('it does not matter how the bytes are cut', () => {
  const body = Buffer.concat([head([1, 2]), cluster(10, [block(1), block(2)]), END_OF_FRAGMENT, cluster(20)]);
  const whole = read(body);
  for (const size of [1, 2, 3, 7, 64]) expect(read(body, size)).toEqual(whole);
});

test('what webm-muxer writes is read fragment by fragment, at an absolute time', () => {
  const start = Date.UTC(2026, 10, 24);
  const events = read(footage(3, start), 500);
  const opened = events.filter((event) => event.type === 'opened').map((event) => event.timecodeMs - start);
  expect(opened).toEqual([0, 1000, 2000]);
  expect(events.filter((event) => event.type === 'frame')).toHaveLength(30);
  const closed = events.filter((event) => event.type === 'closed');
  expect(closed).toHaveLength(3);
  for (const { bytesOfFragment } of closed) expect(bytesOfFragment).toBeGreaterThan(2000);
});

test('timecodes are counted in the scale that the segment names', () => {
  const [, opened] = read(Buffer.concat([head([1], { timecodeScale: 1_000 }), cluster(5_000_000)]));
  expect(opened).toEqual({ type: 'opened', timecodeMs: 5_000 });
});

test('a block in a group counts as any other', () => {
  const inGroup = element(0xa0, [element(0xa1, Buffer.from([0x81, 0, 5, 0, 1])), element(0x9b, Buffer.from([40]))]);
  const events = read(Buffer.concat([head(), cluster(0, [inGroup])]));
  expect(events[2]).toMatchObject({ type: 'frame', trackNumber: 1, timecodeMs: 5 });
});

const segment = element(SEGMENT, [], 'unknown');
const film = Buffer.concat([head(), cluster(0)]);
test.each([
  ['a second film', Buffer.concat([film, head(), cluster(1000)])],
  ['a second segment', Buffer.concat([film, segment])],
  ['a second list of tracks', Buffer.concat([film, element(TRACKS, element(0xae, element(0xd7, Buffer.from([1]))))])],
  ['text', Buffer.from('this is no Matroska at all')],
  ['zeros', Buffer.alloc(100)],
  ['a segment without a header', segment],
  ['another EBML document', Buffer.concat([header('exif'), segment])],
  ['a cluster before the tracks', Buffer.concat([header(), segment, cluster(0)])],
  ['a block before the timecode', Buffer.concat([head(), element(CLUSTER, [], 'unknown'), block()])],
  ['a block outside a cluster', Buffer.concat([head(), block()])],
  ['a block without a header', Buffer.concat([head(), cluster(0, [element(0xa3, Buffer.from([0x81]))])])],
  ['a timecode outside a cluster', Buffer.concat([head(), element(0xe7, Buffer.from([1]))])],
  ['an unknown element', Buffer.concat([head(), element(0x42)])],
  ['tracks of unknown size', Buffer.concat([header(), segment, element(TRACKS, [], 'unknown')])],
  ['no track', Buffer.concat([header(), segment, element(TRACKS)])],
  ['a track without a number', Buffer.concat([header(), segment, element(TRACKS, element(0xae))])],
  ['tags before the segment', Buffer.concat([header(), element(TAGS)])],
  ['a child longer than its parent', Buffer.concat([header(), segment, element(INFO, Buffer.from('2ad7b188', 'hex'))])],
  ['a header of two megabytes', element(EBML, Buffer.alloc(2 << 20))],
  ['the half of a cluster', Buffer.concat([head(), cluster(0).subarray(0, -3)])],
  ['bytes flipped within', Buffer.concat([head(), cluster(0), Buffer.alloc(40, 0xaa), cluster(1000)])],
])('%s is an error', (_, body) => {
  expect(() => read(body)).toThrow(expect.objectContaining({ name: 'MkvError' }));
});

test.each([
  ['nonsense', Buffer.alloc(20), 'tracks opened frame'],
  // A fragment ends where another element of its level begins.
  ['a second film', head(), 'tracks opened frame closed'],
  ['a second segment', segment, 'tracks opened frame closed'],
])('what came before %s was told', (_, error, before) => {
  const reader = createMkvReader();
  const events: MkvEvent[] = [];
  expect(() => {
    for (const event of reader.push(Buffer.concat([film, error]))) events.push(event);
  }).toThrow(expect.objectContaining({ name: 'MkvError' }));
  expect(types(events)).toBe(before);
});
