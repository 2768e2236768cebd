import { count, table } from './table.ts';

export interface Finding {
  what: string;
  of: string;
  outcome: 'mended' | 'left' | 'failed';
  why?: string;
}

/** What the function answers, and what several answers are together. */
export interface Report {
  dryRun: boolean;
  looked: number;
  done: Record<string, number>;
  left: Record<string, number>;
  raced: number;
  failed: Record<string, number>;
  findings: Finding[];
  unlisted: number;
  complete: boolean;
}

const added = (one: Record<string, number>, other: Record<string, number>): Record<string, number> => {
  const sum = { ...one };
  for (const [name, times] of Object.entries(other)) sum[name] = (sum[name] ?? 0) + times;
  return sum;
};

export const merged = (one: Report, other: Report): Report => ({
  dryRun: other.dryRun,
  looked: one.looked + other.looked,
  done: added(one.done, other.done),
  left: added(one.left, other.left),
  raced: one.raced + other.raced,
  failed: added(one.failed, other.failed),
  findings: [...one.findings, ...other.findings],
  unlisted: one.unlisted + other.unlisted,
  complete: other.complete,
});

export const total = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((sum, one) => sum + one, 0);

/** In words; what is not here is told by its name. */
const words: Record<string, string> = {
  finishCutOff: 'an act of ops is carried out to its end',
  finishTakeover: 'a replacement is carried out to its end',
  endOrUndoMaking: 'a half-made device is finished or undone',
  makeStreams: 'a stream that is missing is made',
  removeCertificates: 'a replaced certificate is taken away',
  judgeClaims: 'a claim that no camera has shown is judged',
  liftLapsed: 'denials that have lapsed are lifted',
  'power-without-record': 'a certificate has power, and no record knows it',
  'power-of-many': 'the device policy is attached to something that is no certificate',
  'power-while-suspended': 'a suspended device has an active certificate',
  'policy-missing': 'a certificate has lost the device policy',
  'attachment-missing': 'a certificate is not attached to its thing',
  'certificate-missing': 'a certificate is gone at AWS',
  'certificate-inactive': 'a certificate is inactive at AWS',
  'thing-missing': 'a thing is gone at AWS',
  'thing-differs': 'a thing has another type or batch',
  'thing-taken': 'a thing is somebody else’s',
  'thing-without-record': 'a thing stands for no device',
  'thing-left-behind': 'a thing stands for a device that is not there any more',
  'stream-missing': 'a stream is gone at AWS',
  'not-on-the-work-list': 'unfinished business was not on the work list',
  'replacement-waits': 'new hardware has not come to life for two weeks',
  'denial-missing': 'a denial was missing',
  'denial-kept': 'a device that may go on was still denied',
  'denial-lapsed': 'a denial was left that is nobody’s any more',
  'role-differs': 'the camera roles deny something else than the table says',
  'counted-wrong': 'a device was counted as something else',
  'counter-wrong': 'a counter was wrong',
  'counters-not-compared': 'the counters were not compared',
  audit: 'a part could not be looked at',
};

const tableOf = (findings: Finding[]): string =>
  table(
    ['what', 'which', ''],
    findings.map(({ what, of, why }) => [words[what] ?? what, of, why ?? '']),
  );

/** What was found, what became of it, and what is left to do. */
export function said(report: Report): string {
  const { dryRun, done, left, failed, findings, unlisted, raced } = report;
  const of = (outcome: Finding['outcome']) => findings.filter((one) => one.outcome === outcome);
  const mended = dryRun ? 'would be mended' : 'mended';
  const sections = [
    [dryRun ? 'Would be mended' : 'Mended', of('mended')],
    ['Left for you to decide', of('left')],
    ['Failed', of('failed')],
  ] as const;
  return [
    ...sections.flatMap(([title, some]) => (some.length > 0 ? [`${title}\n${tableOf(some)}`] : [])),
    ...(unlisted > 0 ? [`and ${count(unlisted)} more that are only counted.`] : []),
    `${count(total(done))} ${mended}, ${count(total(left))} left, ${count(total(failed))} failed${
      raced > 0 ? `, ${count(raced)} were being changed by somebody else` : ''
    }.${dryRun && total(done) > 0 ? ' Nothing was written: --apply mends it.' : ''}`,
  ].join('\n\n');
}
