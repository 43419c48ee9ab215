/*
 * Events as TensorBoard reads them: records of TensorFlow's (a length, its checksum, the event, its checksum), each an `Event`
 * of tensorflow/core/util/event.proto in protocol buffers' wire format. No package that is kept writes these without
 * TensorFlow.
 */

/** A picture as a file. */
export interface EventPicture {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** What an event holds, by its tag. */
export type EventValues = ReadonlyMap<string, number | EventPicture>;

/** The first record of a file. @param seconds since 1970, as all of these */
export function versionRecord(seconds: number): Uint8Array {
  return record([...double(1, seconds), ...bytes(3, text('brain.Event:2'))]);
}

/** The run goes on from a step: what was written of it and of later ones before is as if it were not there. */
export function restartRecord(seconds: number, step: number): Uint8Array {
  const START = 1;
  return record([...double(1, seconds), ...integer(2, step), ...bytes(7, integer(1, START))]);
}

/** Numbers and pictures of a step. */
export function summaryRecord(seconds: number, step: number, values: EventValues): Uint8Array {
  const RGB = 3;
  const summary = [...values].flatMap(([tag, value]) => {
    const content =
      typeof value === 'number'
        ? float(2, value)
        : bytes(4, [
            ...integer(1, value.height),
            ...integer(2, value.width),
            ...integer(3, RGB),
            ...bytes(4, value.png),
          ]);
    return bytes(1, [...bytes(1, text(tag)), ...content]);
  });
  return record([...double(1, seconds), ...integer(2, step), ...bytes(5, summary)]);
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Seven bits a byte, the lowest first; the first bit says whether more follow. */
function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  return [...out, rest];
}

const key = (field: number, wire: 0 | 1 | 2 | 5): number[] => varint(field * 8 + wire);
const integer = (field: number, value: number): number[] => [...key(field, 0), ...varint(value)];
const double = (field: number, value: number): number[] => [...key(field, 1), ...numberBytes(8, value)];
const float = (field: number, value: number): number[] => [...key(field, 5), ...numberBytes(4, value)];

function bytes(field: number, content: ArrayLike<number>): number[] {
  return [...key(field, 2), ...varint(content.length), ...Array.from(content)];
}

function numberBytes(length: 4 | 8, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(length));
  if (length === 8) view.setFloat64(0, value, true);
  else view.setFloat32(0, value, true);
  return new Uint8Array(view.buffer);
}

function record(event: readonly number[]): Uint8Array {
  const out = new Uint8Array(event.length + 16);
  const view = new DataView(out.buffer);
  view.setUint32(0, event.length, true); // the upper half of the length stays 0
  view.setUint32(8, masked(crc32c(out.subarray(0, 8))), true);
  out.set(event, 12);
  view.setUint32(12 + event.length, masked(crc32c(out.subarray(12, 12 + event.length))), true);
  return out;
}

/** As TFRecord keeps a checksum, since one of data that holds its own is weak. */
const masked = (sum: number): number => (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;

const CASTAGNOLI = 0x82f63b78;
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ CASTAGNOLI : sum >>> 1;
  return sum;
});

/** CRC-32C (RFC 3720, appendix B.4). */
export function crc32c(content: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of content) sum = (sum >>> 8) ^ (TABLE[(sum ^ byte) & 255] as number);
  return ~sum >>> 0;
}
