import type { DeviceQuery, Position } from '../domain/query.ts';
import { deviceFilter } from './contract/device-list.ts';
import type { HttpRequest } from './http.ts';
import { instantOf } from './instant.ts';
import { readPage, writeCursor } from './page.ts';
import { parse } from './parse.ts';
import { present } from './present.ts';

const keyOf = ({ at, serialNumber }: Position): string => [...(at ? [at] : []), serialNumber].join(' ');

const positionOf = (key: string): Position => {
  const [first = '', serialNumber] = key.split(' ');
  return serialNumber === undefined ? { serialNumber: first } : { at: first, serialNumber };
};

/** `GET /devices`: the query, and where its page begins. `cursorTo` writes the cursor of the next one, bound to this very query. */
export const readDeviceQuery = (request: HttpRequest) => {
  const { limit: _, cursor: __, ...filters } = request.query;
  const { claimedAfter, claimedBefore, ...rest } = parse(deviceFilter, filters);
  const query: DeviceQuery = present({
    ...rest,
    claimedAfter: claimedAfter && instantOf(claimedAfter),
    claimedBefore: claimedBefore && instantOf(claimedBefore),
  });
  const list = `devices/${JSON.stringify(Object.entries(query).sort())}`;
  const { limit, before } = readPage(request, list);
  return {
    query,
    limit,
    after: before === undefined ? undefined : positionOf(before),
    cursorTo: (position: Position) => writeCursor(list, keyOf(position)),
  };
};
