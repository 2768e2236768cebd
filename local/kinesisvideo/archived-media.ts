import { invalid, type StreamReference, type Streams } from './streams.ts';

/**
 * ListFragments, the one operation of Kinesis Video Archived Media that is here: how anybody who has only addresses sees what was persisted.
 * Its AWS SDK client is not among our dependencies, so its schema is written in the same form (simple types: 0 string, 1 number, 4 timestamp).
 */

const NAMESPACE = 'com.amazonaws.kinesisvideoarchivedmedia';

const TimestampRange$ = [3, NAMESPACE, 'TimestampRange', 0, ['StartTimestamp', 'EndTimestamp'], [4, 4]];
const FragmentSelector$ = [
  3,
  NAMESPACE,
  'FragmentSelector',
  0,
  ['FragmentSelectorType', 'TimestampRange'],
  [0, () => TimestampRange$],
];
const Fragment$ = [
  3,
  NAMESPACE,
  'Fragment',
  0,
  ['FragmentNumber', 'FragmentSizeInBytes', 'ProducerTimestamp', 'ServerTimestamp', 'FragmentLengthInMilliseconds'],
  [0, 1, 4, 4, 1],
];
const FragmentList = [1, NAMESPACE, 'FragmentList', 0, () => Fragment$];
const ListFragmentsInput$ = [
  3,
  NAMESPACE,
  'ListFragmentsInput',
  0,
  ['StreamName', 'StreamARN', 'MaxResults', 'NextToken', 'FragmentSelector'],
  [0, 0, 1, 0, () => FragmentSelector$],
];
const ListFragmentsOutput$ = [
  3,
  NAMESPACE,
  'ListFragmentsOutput',
  0,
  ['Fragments', 'NextToken'],
  [() => FragmentList, 0],
];

export const schemas = {
  ListFragments$: [
    9,
    NAMESPACE,
    'ListFragments',
    { http: ['POST', '/listFragments', 200] },
    () => ListFragmentsInput$,
    () => ListFragmentsOutput$,
  ],
};

interface ListFragmentsInput extends StreamReference {
  MaxResults?: number;
  NextToken?: string;
  FragmentSelector?: {
    FragmentSelectorType: string;
    TimestampRange: { StartTimestamp: Date | number; EndTimestamp: Date | number };
  };
}

/** API_reader_ListFragments: at most 1,000 a page, chosen by the producer's or the server's timestamp. */
export function listFragments(streams: Streams, input: ListFragmentsInput) {
  const { MaxResults = 100, NextToken = '', FragmentSelector } = input;
  if (MaxResults < 1 || MaxResults > 1_000) throw invalid('MaxResults must be between 1 and 1000.');
  let fragments = streams.fragmentsOf(streams.get(input)).filter(({ fragmentNumber }) => fragmentNumber > NextToken);

  if (FragmentSelector !== undefined) {
    const { FragmentSelectorType, TimestampRange } = FragmentSelector;
    if (FragmentSelectorType !== 'PRODUCER_TIMESTAMP' && FragmentSelectorType !== 'SERVER_TIMESTAMP') {
      throw invalid(`Unknown FragmentSelectorType ${FragmentSelectorType}.`);
    }
    if (TimestampRange === undefined) throw invalid('TimestampRange must be specified.');
    const by = FragmentSelectorType === 'PRODUCER_TIMESTAMP' ? 'producedAt' : 'receivedAt';
    const [start, end] = [Number(TimestampRange.StartTimestamp), Number(TimestampRange.EndTimestamp)];
    fragments = fragments.filter((fragment) => fragment[by] >= start && fragment[by] <= end);
  }
  const page = fragments.slice(0, MaxResults);
  return {
    Fragments: page.map((fragment) => ({
      FragmentNumber: fragment.fragmentNumber,
      FragmentSizeInBytes: fragment.sizeBytes,
      ProducerTimestamp: new Date(fragment.producedAt),
      ServerTimestamp: new Date(fragment.receivedAt),
      FragmentLengthInMilliseconds: fragment.lengthMs,
    })),
    ...(fragments.length > page.length && { NextToken: page.at(-1)?.fragmentNumber }),
  };
}
