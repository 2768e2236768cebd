import type { Remedy } from './remedy.ts';

export type Verdict = 'ok' | 'broken' | 'not checked';

/** What is wrong with one thing, in words, and how it is mended where somebody can. */
export interface Flaw {
  says: string;
  remedy?: Remedy | undefined;
}

/** Without flaws it is ok; a note says what is worth knowing all the same. */
export interface Look {
  flaws: Flaw[];
  note?: string | undefined;
}

/** One thing that a link looks at: a role, a certificate. */
export interface Subject {
  subject: string;
  look(): Promise<Look>;
}

/** One link of the chain from a camera's first boot to its first frame. */
export interface Link<Patient> {
  name: string;
  /** The question that it answers. */
  asks: string;
  subjects(patient: Patient): Subject[] | Promise<Subject[]>;
}

export interface Finding {
  subject: string;
  verdict: Verdict;
  says?: string;
  remedy?: Remedy;
}

export interface Checked {
  link: string;
  asks: string;
  verdict: Verdict;
  findings: Finding[];
}

export const well = (note?: string): Look => ({ flaws: [], note });
export const broken = (says: string, remedy?: Remedy): Look => ({ flaws: [{ says, remedy }] });

/** Thrown by a look that cannot be had, in words: the caller lacks a right, AWS does not answer, an earlier link is missing. */
export class NotChecked extends Error {
  override name = 'NotChecked' as const;
}

/** Asks every link of every thing, side by side, and puts the answers in the order of the chain. */
export const checkAll = <Patient>(links: Link<Patient>[], patient: Patient): Promise<Checked[]> =>
  Promise.all(links.map((link) => check(link, patient)));

async function check<Patient>(link: Link<Patient>, patient: Patient): Promise<Checked> {
  const { name, asks } = link;
  const findings = await findingsOf(link, patient);
  return { link: name, asks, verdict: worst(findings), findings };
}

async function findingsOf<Patient>(link: Link<Patient>, patient: Patient): Promise<Finding[]> {
  try {
    const subjects = await link.subjects(patient);
    return (await Promise.all(subjects.map(findings))).flat();
  } catch (error) {
    return [{ subject: '', ...notChecked(error) }];
  }
}

async function findings({ subject, look }: Subject): Promise<Finding[]> {
  try {
    const { flaws, note } = await look();
    if (flaws.length === 0) return [{ subject, verdict: 'ok', ...(note !== undefined && { says: note }) }];
    return flaws.map(({ says, remedy }) => ({ subject, verdict: 'broken', says, ...(remedy && { remedy }) }));
  } catch (error) {
    return [{ subject, ...notChecked(error) }];
  }
}

function notChecked(error: unknown): { verdict: 'not checked'; says: string } {
  if (error instanceof NotChecked) return { verdict: 'not checked', says: error.message };
  // An answer of AWS that no link expects is no finding, but no reason to keep the others' to oneself either.
  if (!(error instanceof Error) || !('$metadata' in error)) throw error;
  return { verdict: 'not checked', says: `AWS answered ${error.name}: ${error.message}` };
}

function worst(found: Finding[]): Verdict {
  const verdicts = found.map(({ verdict }) => verdict);
  return (['broken', 'not checked'] as const).find((verdict) => verdicts.includes(verdict)) ?? 'ok';
}
