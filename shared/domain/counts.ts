import type { Device } from './device.ts';

export const countKinds = ['status', 'batch', 'model'] as const;
export type CountKind = (typeof countKinds)[number];

/** What a device is counted under. */
export type Counted = Partial<Pick<Device, 'status' | 'batch' | 'model'>>;

/** One more, or one less, of the devices of a kind and name. */
export type Step = { kind: CountKind; name: string; by: 1 | -1 };

/** A device as it is to be counted: under nothing once it is gone. */
export type Recount = { serialNumber: string; version: number; isNew: boolean; counted: Counted };

export const countedOf = ({ status, batch, model }: Device): Counted => ({
  status,
  ...(batch !== undefined && { batch }),
  ...(model !== undefined && { model }),
});

/** From how a device was counted to how it is to be. Nothing for what stays. */
export const stepsBetween = (before: Counted = {}, after: Counted = {}): Step[] =>
  countKinds.flatMap((kind): Step[] => {
    const [old, next] = [before[kind], after[kind]];
    if (old === next) return [];
    return [
      ...(old === undefined ? [] : [{ kind, name: old, by: -1 as const }]),
      ...(next === undefined ? [] : [{ kind, name: next, by: 1 as const }]),
    ];
  });

/** What a change of an item asks of the counters, if anything. */
export const recountOf = (before: Device | undefined, after: Device | undefined): Recount | undefined => {
  const device = after ?? before;
  if (!device) return undefined;
  const [old, next] = [before && countedOf(before), after && countedOf(after)];
  if (stepsBetween(old, next).length === 0) return undefined;
  const { serialNumber, version } = device;
  return { serialNumber, version: after ? version : version + 1, isNew: before === undefined, counted: next ?? {} };
};

/** Of several changes of one device, in their order, only the last counts: the counters never saw the others. */
export const newestOf = (recounts: Recount[]): Recount[] => {
  const newest = new Map<string, Recount>();
  for (const recount of recounts) {
    const earlier = newest.get(recount.serialNumber);
    newest.set(recount.serialNumber, { ...recount, isNew: recount.isNew || (earlier?.isNew ?? false) });
  }
  return [...newest.values()];
};
