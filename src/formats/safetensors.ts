import { UserError } from '../common/userError';

/*
 * The safetensors format: 8 bytes length of the header (u64, little-endian), the header (JSON, padded with spaces so
 * that the data starts at a multiple of 8), the tensors' bytes one behind another, little-endian and row-major. The
 * header maps each name to { dtype, shape, data_offsets: [begin, end) from the start of the data }; `__metadata__` maps
 * strings to strings. Every byte of the data belongs to exactly one tensor.
 * Arrays are read and written in the machine's byte order, which is little-endian wherever WebGPU runs.
 */

/** Bytes of an element, by the name of its type. */
export const ELEMENT_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

export type StoredType = keyof typeof ELEMENT_BYTES;

/** A tensor as a file holds it. `bytes` is a view into the file, at any alignment. */
export interface StoredTensor {
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface Safetensors {
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Record<string, string>;
}

export type StoredElements =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint32Array
  | Uint16Array
  | Uint8Array;

/** The reference implementation's bound, too: a length beyond it is garbage, not a header. */
const MAX_HEADER_BYTES = 100_000_000;

/** Nothing but a plain object of JSON. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isDType(value: unknown): value is StoredType {
  return typeof value === 'string' && Object.hasOwn(ELEMENT_BYTES, value);
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Reads a safetensors file. The tensors are views into `bytes`.
 *
 * @param source what the messages call the file
 * @throws UserError that names the first thing wrong with it
 */
export function readSafetensors(bytes: Uint8Array, source = 'the safetensors file'): Safetensors {
  const { header, data } = splitHeader(bytes, source);
  const tensors = new Map<string, StoredTensor>();
  const spans: { name: string; begin: number; end: number }[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') {
      metadata = readMetadata(entry, source);
      continue;
    }
    const { dtype, shape, begin, end } = readEntry(name, entry, source);
    if (end > data.length) {
      throw damaged(source, `tensor '${name}' ends at byte ${end} of the data, which has only ${data.length}`, true);
    }
    spans.push({ name, begin, end });
    tensors.set(name, { dtype, shape, bytes: data.subarray(begin, end) });
  }
  assertCovered(spans, data.length, source);
  return { tensors, metadata };
}

function damaged(source: string, what: string, truncated = false): UserError {
  const advice = truncated ? 'It was cut short: copy or download it again.' : 'It is damaged or no safetensors file.';
  return new UserError(`Cannot read ${source}: ${what}. ${advice}`);
}

function splitHeader(bytes: Uint8Array, source: string): { header: Record<string, unknown>; data: Uint8Array } {
  if (bytes.length < 8) {
    throw damaged(source, `it has ${bytes.length} bytes, and its first 8 should say how long its header is`, true);
  }
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES) throw damaged(source, 'it does not begin as a safetensors file does');
  if (8 + headerBytes > bytes.length) {
    throw damaged(source, `its header should have ${headerBytes} bytes, and ${bytes.length - 8} are there`, true);
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + headerBytes)));
  } catch (error) {
    throw damaged(source, `its header is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (!isRecord(header)) throw damaged(source, 'its header is not a JSON object');
  return { header, data: bytes.subarray(8 + headerBytes) };
}

function readMetadata(entry: unknown, source: string): Record<string, string> {
  if (!isRecord(entry)) throw damaged(source, '__metadata__ is not an object');
  return Object.fromEntries(
    Object.entries(entry).map(([key, value]) => {
      if (typeof value !== 'string') throw damaged(source, `__metadata__ '${key}' is not a string`);
      return [key, value];
    }),
  );
}

function readEntry(
  name: string,
  entry: unknown,
  source: string,
): { dtype: StoredType; shape: number[]; begin: number; end: number } {
  const bad = (what: string): UserError => damaged(source, `tensor '${name}' ${what}`);
  if (!isRecord(entry)) throw bad('is described by something else than an object');
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isDType(dtype)) {
    throw new UserError(
      `Cannot read ${source}: tensor '${name}' has the unknown dtype ${JSON.stringify(dtype)}. ` +
        `Convert it to one of ${Object.keys(ELEMENT_BYTES).join(', ')}.`,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) throw bad(`has the impossible shape ${JSON.stringify(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw bad(`has data_offsets ${JSON.stringify(offsets)}, not two byte offsets`);
  }
  const [begin = 0, end = 0] = offsets;
  if (end < begin) throw bad(`ends (byte ${end}) before it begins (byte ${begin})`);
  const expected = elementCount(shape) * ELEMENT_BYTES[dtype];
  if (end - begin !== expected) {
    throw bad(`of ${dtype} [${shape.join(', ')}] needs ${expected} bytes, and its offsets hold ${end - begin}`);
  }
  return { dtype, shape, begin, end };
}

/** Without holes and overlaps, nothing hides in a file and no two tensors share memory. */
function assertCovered(spans: { name: string; begin: number; end: number }[], length: number, source: string): void {
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  let before = '';
  for (const { name, begin, end } of spans) {
    if (begin < at) throw damaged(source, `tensors '${before}' and '${name}' overlap`);
    if (begin > at) throw damaged(source, `${begin - at} bytes before tensor '${name}' belong to none`);
    at = end;
    before = name;
  }
  if (at < length) throw damaged(source, `its last ${length - at} bytes belong to no tensor`);
}

/**
 * Writes tensors as a safetensors file. The bytes depend on content only: wider elements first, then by name, so that
 * every tensor is aligned to its elements; metadata by key.
 *
 * @throws UserError where a tensor's bytes don't fit its shape, or a name is `__metadata__`
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);
  const entries = [...tensors].sort((a, b) => ELEMENT_BYTES[b[1].dtype] - ELEMENT_BYTES[a[1].dtype] || byName(a, b));
  const header: [string, unknown][] = [];
  const sortedMetadata = Object.entries(metadata).sort(byName);
  if (sortedMetadata.length > 0) header.push(['__metadata__', Object.fromEntries(sortedMetadata)]);
  let at = 0;
  for (const [name, { dtype, shape, bytes }] of entries) {
    if (name === '__metadata__') throw new UserError("A tensor can't be named '__metadata__'. Choose another name.");
    assertFits(name, dtype, shape, bytes.length);
    header.push([name, { dtype, shape, data_offsets: [at, at + bytes.length] }]);
    at += bytes.length;
  }
  const lines = header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const json = new TextEncoder().encode(`{${lines.join()}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + at).fill(0x20, 8, 8 + headerBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(json, 8);
  let offset = 8 + headerBytes;
  for (const [, { bytes }] of entries) {
    file.set(bytes, offset);
    offset += bytes.length;
  }
  return file;
}

function assertFits(name: string, dtype: StoredType, shape: readonly number[], bytes: number): void {
  const expected = elementCount(shape) * ELEMENT_BYTES[dtype];
  if (bytes !== expected) {
    throw new UserError(`Tensor '${name}' of ${dtype} [${shape.join(', ')}] needs ${expected} bytes, not ${bytes}.`);
  }
}

/** What an array's elements are called in a file. */
function dtypeOf(data: StoredElements): StoredType {
  if (data instanceof Float64Array) return 'F64';
  if (data instanceof Float32Array) return 'F32';
  if (data instanceof BigInt64Array) return 'I64';
  if (data instanceof BigUint64Array) return 'U64';
  if (data instanceof Int32Array) return 'I32';
  if (data instanceof Int16Array) return 'I16';
  if (data instanceof Int8Array) return 'I8';
  if (data instanceof Uint32Array) return 'U32';
  if (data instanceof Uint16Array) return 'U16';
  return 'U8';
}

/** A tensor to write, from an array of its elements. It shares the array's memory. */
export function storedTensor(shape: readonly number[], data: StoredElements): StoredTensor {
  const dtype = dtypeOf(data);
  assertFits('to be stored', dtype, shape, data.byteLength);
  return { dtype, shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** The elements in their own type: F16 and BF16 as their bits (u16), BOOL as 0 and 1. Copies where alignment asks. */
export function tensorData({ dtype, bytes }: StoredTensor): StoredElements {
  const aligned = bytes.byteOffset % ELEMENT_BYTES[dtype] === 0 ? bytes : bytes.slice();
  const args = [aligned.buffer, aligned.byteOffset, bytes.length / ELEMENT_BYTES[dtype]] as const;
  switch (dtype) {
    case 'F64':
      return new Float64Array(...args);
    case 'F32':
      return new Float32Array(...args);
    case 'I64':
      return new BigInt64Array(...args);
    case 'U64':
      return new BigUint64Array(...args);
    case 'I32':
      return new Int32Array(...args);
    case 'I16':
      return new Int16Array(...args);
    case 'I8':
      return new Int8Array(...args);
    case 'U32':
      return new Uint32Array(...args);
    case 'F16':
    case 'BF16':
    case 'U16':
      return new Uint16Array(...args);
    case 'BOOL':
    case 'U8':
      return new Uint8Array(...args);
  }
}

/** The elements as f32, whatever their type: F16 and BF16 exactly, the others rounded to the nearest. */
export function tensorFloat32(tensor: StoredTensor): Float32Array {
  const data = tensorData(tensor);
  if (data instanceof Float32Array) return data;
  if (tensor.dtype === 'F16') return Float32Array.from(data as Uint16Array, halfToNumber);
  if (tensor.dtype === 'BF16') {
    const bits = Uint32Array.from(data as Uint16Array, (upperHalf) => upperHalf << 16);
    return new Float32Array(bits.buffer);
  }
  return Float32Array.from<number | bigint>(data, Number);
}

/** The value of an IEEE binary16: sign, 5 bits of exponent (bias 15), 10 of mantissa. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}
