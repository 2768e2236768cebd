import type { Device } from './device.ts';

/** What every device has one of, or none; `reconcile` counts these anew. */
export const countKinds = ['status', 'batch', 'model'] as const;

/** `opened`: claims that were granted through a claim certificate, of which a device may have any number. */
export type CountKind = (typeof countKinds)[number] | 'opened';

/** What a device is counted under. */
export type Counted = Partial<Pick<Device, 'status' | 'batch' | 'model'>> & { opened?: Record<string, number> };

/** So many more, or less, of a kind and name. */
export type Step = { kind: CountKind; name: string; by: number };

/** A device as it is to be counted: under nothing once it is gone. A later change has a greater stamp. */
export type Recount = { serialNumber: string; stamp: string; counted: Counted };

export const countedOf = ({ status, batch, model, openings }: Device): Counted => ({
  status,
  ...(batch !== undefined && { batch }),
  ...(model !== undefined && { model }),
  ...(openings !== undefined && { opened: openings }),
});

/** From how a device was counted to how it is to be. Nothing for what stays. */
export const stepsBetween = (before: Counted = {}, after: Counted = {}): Step[] => [
  ...countKinds.flatMap((kind): Step[] => {
    const [old, next] = [before[kind], after[kind]];
    if (old === next) return [];
    return [
      ...(old === undefined ? [] : [{ kind, name: old, by: -1 }]),
      ...(next === undefined ? [] : [{ kind, name: next, by: 1 }]),
    ];
  }),
  ...Object.keys({ ...before.opened, ...after.opened })
    .map((name) => ({ kind: 'opened' as const, name, by: (after.opened?.[name] ?? 0) - (before.opened?.[name] ?? 0) }))
    .filter(({ by }) => by !== 0),
];

/** What a change of an item asks of the counters, if anything. */
export const recountOf = (before: Device | undefined, after: Device | undefined): Recount | undefined => {
  const device = after ?? before;
  if (!device) return undefined;
  const [old, next] = [before && countedOf(before), after && countedOf(after)];
  const isAsked = after?.recountedAt !== undefined && after.recountedAt !== before?.recountedAt;
  if (stepsBetween(old, next).length === 0 && !isAsked) return undefined;
  const { serialNumber, version, registeredAt } = device;
  // Versions begin anew with each item, and an item that is made again is younger.
  const stamp = `${registeredAt}#${String(after ? version : version + 1).padStart(10, '0')}`;
  return { serialNumber, stamp, counted: next ?? {} };
};

/** Of several changes of one device, in their order, only the last counts: the counters never saw the others. */
export const newestOf = (recounts: Recount[]): Recount[] => [
  ...new Map(recounts.map((recount) => [recount.serialNumber, recount])).values(),
];
