import { emptySketch, readSketch, type Sketch, writeSketch } from './sketch.ts';
import type { Tally } from './tally.ts';

/** In their order: the registry is looked at before AWS's lists, and both before the devices that differ. */
export const phaseNames = ['due', 'denials', 'records', 'power', 'inactive', 'things', 'devices'] as const;
export type PhaseName = (typeof phaseNames)[number];

/** `foreign`: it stands for no thing of ours. */
export type Suspect = { certificateId: string; certificateArn: string; owner: 'ours' | 'foreign' };

/** How far an audit has come: all that goes from one run to the next. */
export type Audit = {
  phase: PhaseName;
  /** This phase and no other. */
  isOnly?: true;
  /** Within the phase; absent at its beginning. */
  position?: unknown;
  since: string;
  /** Every device gets a closer look, not only this day's share of a large fleet. */
  isThorough: boolean;
  /** What the registry and AWS's lists show, against each other. */
  sketch: Sketch;
  /** How many devices there are. */
  fleet: number;
  /** Certificates with power that no record knows: not too many, or they are not touched. */
  suspects: Suspect[];
  tally?: Tally;
};

export const beginAudit = (
  begins: Pick<Audit, 'phase'> & Partial<Pick<Audit, 'isOnly' | 'isThorough'>>,
  now: Date,
): Audit => ({ isThorough: false, ...begins, since: now.toISOString(), sketch: emptySketch(), fleet: 0, suspects: [] });

/** To the next phase; false where there is none left. */
export const toNextPhase = (audit: Audit): boolean => {
  const next = phaseNames[phaseNames.indexOf(audit.phase) + 1];
  if (next === undefined || audit.isOnly) return false;
  audit.phase = next;
  delete audit.position;
  return true;
};

export const writeAudit = ({ sketch, ...audit }: Audit): string =>
  JSON.stringify({ ...audit, sketch: writeSketch(sketch) });

/** `undefined` if it is none of this version's. */
export const readAudit = (text: string): Audit | undefined => {
  const { sketch: written, ...audit } = JSON.parse(text);
  const sketch = readSketch(String(written));
  const isWhole = phaseNames.includes(audit.phase) && Array.isArray(audit.suspects);
  return sketch && isWhole ? { ...audit, sketch } : undefined;
};
