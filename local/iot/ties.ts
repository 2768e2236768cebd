/**
 * Which names of one kind are tied to which of another, found from either end without a search: things and principals, policies and
 * targets. Plain data, as everything that a reset puts back.
 */
export interface Ties<How> {
  /** From an end's name to what it is tied to, and how. */
  left: Map<string, Map<string, How>>;
  right: Map<string, Map<string, How>>;
}

export const noTies = <How>(): Ties<How> => ({ left: new Map(), right: new Map() });

export function tie<How>({ left, right }: Ties<How>, leftName: string, rightName: string, how: How): void {
  put(left, leftName, rightName, how);
  put(right, rightName, leftName, how);
}

/** False if they were not tied. */
export function untie<How>({ left, right }: Ties<How>, leftName: string, rightName: string): boolean {
  remove(right, rightName, leftName);
  return remove(left, leftName, rightName);
}

/** Takes a name of the right end out of all its ties. */
export function untieRight<How>(ties: Ties<How>, rightName: string): void {
  for (const leftName of [...leftOf(ties, rightName).keys()]) untie(ties, leftName, rightName);
}

export const leftOf = <How>({ right }: Ties<How>, rightName: string): ReadonlyMap<string, How> =>
  right.get(rightName) ?? new Map();
export const rightOf = <How>({ left }: Ties<How>, leftName: string): ReadonlyMap<string, How> =>
  left.get(leftName) ?? new Map();

function put<How>(ends: Map<string, Map<string, How>>, from: string, to: string, how: How): void {
  const tied = ends.get(from) ?? new Map<string, How>();
  ends.set(from, tied.set(to, how));
}

function remove<How>(ends: Map<string, Map<string, How>>, from: string, to: string): boolean {
  const tied = ends.get(from);
  const was = tied?.delete(to) ?? false;
  if (tied?.size === 0) ends.delete(from);
  return was;
}
