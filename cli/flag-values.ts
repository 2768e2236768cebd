import { InvalidArgumentError } from 'commander';

/** A day or an instant, as the API takes it. */
export function instant(text: string): string {
  const at = new Date(text);
  if (!isDay(text.slice(0, 10)) || Number.isNaN(at.getTime())) {
    throw new InvalidArgumentError('Give a day or an instant: 2027-01-31, 2027-01-31T08:00:00Z.');
  }
  return at.toISOString();
}

/** Date takes the 30th of February for the 2nd of March. */
function isDay(text: string): boolean {
  const day = new Date(text);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}

export function whole(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('Give a whole number above 0.');
  return Number(text);
}
