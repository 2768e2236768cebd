/** EBML, the grammar under Matroska (RFC 8794): ids, sizes, children. */

/** The bytes are not Matroska as Kinesis Video takes it. */
export class MkvError extends Error {
  override name = 'MkvError' as const;
}

export interface Header {
  id: number;
  /** undefined: unknown, all bits of the size are set (RFC 8794, section 6.2). */
  size: number | undefined;
  length: number;
}

export interface Element {
  id: number;
  data: Buffer;
}

/** undefined: more bytes are needed. */
export function readHeader(bytes: Buffer): Header | undefined {
  const idLength = vintLength(bytes[0], 4);
  if (idLength === undefined || bytes.length <= idLength) return undefined;
  const sizeLength = vintLength(bytes[idLength], 8);
  if (sizeLength === undefined || bytes.length < idLength + sizeLength) return undefined;
  return {
    id: bytes.readUIntBE(0, idLength),
    size: vint(bytes.subarray(idLength, idLength + sizeLength)),
    length: idLength + sizeLength,
  };
}

/** RFC 8794, section 4: the leading zero bits of the first byte tell the length. */
export function vintLength(first: number | undefined, longest: number): number | undefined {
  if (first === undefined) return undefined;
  const length = Math.clz32(first) - 23;
  if (length > longest) throw new MkvError('no element begins here');
  return length;
}

export function vint(bytes: Buffer): number | undefined {
  let value = (bytes[0] ?? 0) & (0xff >> bytes.length);
  let allOnes = value === 0xff >> bytes.length;
  for (const byte of bytes.subarray(1)) {
    value = value * 256 + byte;
    allOnes &&= byte === 0xff;
  }
  if (allOnes) return undefined;
  if (!Number.isSafeInteger(value)) throw new MkvError('an element larger than anything');
  return value;
}

export function children(data: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < data.length; ) {
    const header = readHeader(data.subarray(at));
    const start = at + (header?.length ?? 0);
    if (header?.size === undefined || start + header.size > data.length)
      throw new MkvError('a child longer than its parent');
    found.push({ id: header.id, data: data.subarray(start, start + header.size) });
    at = start + header.size;
  }
  return found;
}

export const text = (elements: Element[], id: number) =>
  elements
    .find((element) => element.id === id)
    ?.data.toString('utf8')
    .replace(/\0+$/, '');

export function unsigned(data: Buffer): number {
  if (data.length > 8) throw new MkvError('a number of more than eight bytes');
  return data.reduce((value, byte) => value * 256 + byte, 0);
}
