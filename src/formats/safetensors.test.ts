import { describe, expect, it } from 'vitest';
import {
  readSafetensors,
  storedTensor,
  tensorData,
  tensorFloat32,
  writeSafetensors,
  type StoredType,
  type StoredTensor,
  type StoredElements,
} from './safetensors';
import { UserError } from '../common/userError';

/** A file with any header text and any data, right or wrong. */
function craft(header: unknown, data: readonly number[] | Uint8Array = []): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

const f32 = (shape: number[], begin: number, end: number): object => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

function headerOf(file: Uint8Array): { length: number; text: string } {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  return { length, text: new TextDecoder().decode(file.subarray(8, 8 + length)) };
}

describe('writeSafetensors and readSafetensors', () => {
  const arrays: Record<string, [number[], StoredElements]> = {
    'blocks.0.weight': [[3, 1, 2], Float32Array.of(1.5, -2, 3e-38, NaN, Infinity, -0)],
    'a.double': [[3], Float64Array.of(Math.PI, -1e300, 5e-324)],
    scalar: [[], Float32Array.of(7)],
    empty: [[0, 5], new Float32Array(0)],
    ids: [[2, 2], Int32Array.of(-1, 0, 2 ** 31 - 1, -(2 ** 31))],
    long: [[1], BigInt64Array.of(-(2n ** 63n))],
    unsigned: [[1], Uint32Array.of(2 ** 32 - 1)],
    bytes: [[3], Uint8Array.of(0, 1, 255)],
    'größe "x"\n': [[1], Uint8Array.of(9)],
  };
  const tensors = new Map(Object.entries(arrays).map(([name, [shape, data]]) => [name, storedTensor(shape, data)]));
  const metadata = { step: '12', config: '{"α": [0.5]}' };

  it('round-trips every type, shape and name', () => {
    const read = readSafetensors(writeSafetensors(tensors, metadata));
    expect(read.metadata).toEqual(metadata);
    expect([...read.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
    for (const [name, [shape, data]] of Object.entries(arrays)) {
      const tensor = read.tensors.get(name) as StoredTensor;
      expect(tensor.shape).toEqual(shape);
      expect(tensorData(tensor)).toEqual(data);
    }
  });

  it('reads from the middle of a buffer at any alignment', () => {
    const file = writeSafetensors(tensors, metadata);
    for (const shift of [1, 3, 4]) {
      const inside = new Uint8Array(file.length + 16).fill(0xee);
      inside.set(file, shift);
      const read = readSafetensors(inside.subarray(shift, shift + file.length));
      expect(tensorData(read.tensors.get('a.double') as StoredTensor)).toEqual(arrays['a.double']?.[1]);
    }
  });

  it('writes the same bytes whatever order things were added in', () => {
    const reversed = new Map([...tensors].reverse());
    expect(writeSafetensors(reversed, { config: metadata.config, step: metadata.step })).toEqual(
      writeSafetensors(tensors, metadata),
    );
  });

  it('aligns the data to 8 bytes and every tensor to its elements', () => {
    for (let padding = 0; padding < 9; padding++) {
      const file = writeSafetensors(tensors, { note: 'x'.repeat(padding) });
      const { length, text } = headerOf(file);
      expect(length % 8).toBe(0);
      expect(text.startsWith('{')).toBe(true);
      for (const [name, { bytes }] of readSafetensors(file).tensors) {
        expect(bytes.byteOffset % (arrays[name]?.[1].BYTES_PER_ELEMENT ?? NaN)).toBe(0);
      }
    }
  });

  it('leaves __metadata__ out where there is none', () => {
    expect(headerOf(writeSafetensors(tensors)).text).not.toContain('__metadata__');
    expect(readSafetensors(writeSafetensors(new Map()))).toEqual({ tensors: new Map(), metadata: {} });
  });

  it('reads the layout that other writers produce', () => {
    const data = new Uint8Array(12);
    new DataView(data.buffer).setFloat32(0, 2.5, true);
    new DataView(data.buffer).setBigInt64(4, -3n, true);
    const file = craft(
      `{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},` +
        `"n":{"dtype":"I64","shape":[1],"data_offsets":[4,12]}}   `,
      data,
    );
    const { tensors: found, metadata: foundMetadata } = readSafetensors(file);
    expect(foundMetadata).toEqual({ format: 'pt' });
    expect(tensorData(found.get('w') as StoredTensor)).toEqual(Float32Array.of(2.5));
    expect(tensorData(found.get('n') as StoredTensor)).toEqual(BigInt64Array.of(-3n));
  });
});

describe('tensorFloat32', () => {
  const bits = (dtype: StoredType, ...values: number[]): StoredTensor => ({
    ...storedTensor([values.length], Uint16Array.from(values)),
    dtype,
  });

  it('converts F16 exactly', () => {
    // 1, -2, largest, smallest normal, smallest subnormal, -0, inf, -inf, NaN
    const halves = bits('F16', 0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00, 0xfc00, 0x7e01);
    expect([...tensorFloat32(halves)]).toEqual([1, -2, 65504, 2 ** -14, 2 ** -24, -0, Infinity, -Infinity, NaN]);
  });

  it('converts BF16 exactly', () => {
    const brains = bits('BF16', 0x3f80, 0xc000, 0x7f7f, 0x0080, 0x8000, 0x7f80, 0x7fc0);
    expect([...tensorFloat32(brains)]).toEqual([1, -2, 255 * 2 ** 120, 2 ** -126, -0, Infinity, NaN]);
  });

  it('rounds the others', () => {
    expect([...tensorFloat32(storedTensor([2], Float64Array.of(0.1, 1e300)))]).toEqual([Math.fround(0.1), Infinity]);
    expect([...tensorFloat32(storedTensor([2], BigInt64Array.of(-5n, 16777217n)))]).toEqual([-5, 16777216]);
    expect([...tensorFloat32({ dtype: 'BOOL', shape: [2], bytes: Uint8Array.of(1, 0) })]).toEqual([1, 0]);
  });
});

describe('a damaged file', () => {
  const good = writeSafetensors(new Map([['w', storedTensor([4], Float32Array.of(1, 2, 3, 4))]]), { a: 'b' });
  const huge = new Uint8Array(16).fill(0xff);
  const notUtf8 = craft('{"w":1}');
  notUtf8[10] = 0xff;

  it.each<[string, Uint8Array, RegExp]>([
    ['empty', new Uint8Array(0), /0 bytes.*cut short/],
    ['cut inside the length', good.subarray(0, 5), /5 bytes.*cut short/],
    ['cut inside the header', good.subarray(0, 20), /header should have \d+ bytes, and 12 are there.*cut short/],
    ['cut inside the data', good.subarray(0, good.length - 1), /'w' ends at byte 16 .* only 15.*cut short/],
    ['random bytes', huge, /does not begin as a safetensors file/],
    ['not JSON', craft('{"w": oops}'), /header is not JSON/],
    ['not UTF-8', notUtf8, /header is not JSON/],
    ['an array', craft('[1]'), /not a JSON object/],
    ['an entry that is no object', craft({ w: 3 }), /'w' is described/],
    ['an unknown dtype', craft({ w: { dtype: 'F8', shape: [0], data_offsets: [0, 0] } }), /'w'.*dtype "F8".*F32/],
    ['a dtype from the prototype', craft({ w: { dtype: 'toString', shape: [0], data_offsets: [0, 0] } }), /dtype/],
    ['a missing dtype', craft({ w: { shape: [0], data_offsets: [0, 0] } }), /'w'.*dtype/],
    ['a negative size', craft({ w: f32([-1], 0, 0) }), /'w' has the impossible shape \[-1\]/],
    ['a fractional size', craft({ w: f32([0.5], 0, 2) }, [0, 0]), /impossible shape/],
    ['a missing shape', craft({ w: { dtype: 'F32', data_offsets: [0, 0] } }), /impossible shape/],
    ['missing offsets', craft({ w: { dtype: 'F32', shape: [0] } }), /data_offsets undefined/],
    ['three offsets', craft({ w: { dtype: 'F32', shape: [0], data_offsets: [0, 0, 0] } }), /two byte offsets/],
    ['negative offsets', craft({ w: f32([1], -4, 0) }), /two byte offsets/],
    ['offsets in reverse', craft({ w: f32([1], 4, 0) }, [0, 0, 0, 0]), /before it begins/],
    ['offsets out of range', craft({ w: f32([2], 0, 8) }, [0, 0, 0, 0]), /'w' ends at byte 8 .* only 4/],
    ['a shape that does not fit', craft({ w: f32([2], 0, 4) }, [0, 0, 0, 0]), /needs 8 bytes, and its offsets hold 4/],
    ['an enormous shape', craft({ w: f32([1e15, 1e15], 0, 4) }, [0, 0, 0, 0]), /offsets hold 4/],
    ['overlapping tensors', craft({ a: f32([1], 0, 4), b: f32([1], 2, 6) }, [0, 0, 0, 0, 0, 0]), /'a' and 'b' overlap/],
    ['a shared tensor', craft({ a: f32([1], 0, 4), b: f32([1], 0, 4) }, [0, 0, 0, 0]), /'a' and 'b' overlap/],
    ['a hole', craft({ a: f32([1], 4, 8) }, [0, 0, 0, 0, 0, 0, 0, 0]), /4 bytes before tensor 'a'/],
    ['bytes left over', craft({ a: f32([1], 0, 4) }, [0, 0, 0, 0, 9]), /last 1 bytes belong to no tensor/],
    ['metadata that is no object', craft({ __metadata__: [] }), /__metadata__ is not an object/],
    ['metadata that is no string', craft({ __metadata__: { a: 1 } }), /__metadata__ 'a' is not a string/],
  ])('that is or has %s is refused by name', (_, bytes, message) => {
    expect(() => readSafetensors(bytes, 'model.safetensors')).toThrow(UserError);
    expect(() => readSafetensors(bytes, 'model.safetensors')).toThrow(/^Cannot read model.safetensors: /);
    expect(() => readSafetensors(bytes, 'model.safetensors')).toThrow(message);
  });

  it('is refused at every length of a truncation', () => {
    for (let length = 0; length < good.length; length++) {
      expect(() => readSafetensors(good.subarray(0, length))).toThrow(UserError);
    }
  });

  it('is not written', () => {
    expect(() => storedTensor([3], new Float32Array(2))).toThrow(/needs 12 bytes, not 8/);
    expect(() => writeSafetensors(new Map([['__metadata__', storedTensor([0], new Uint8Array(0))]]))).toThrow(/named/);
    expect(() => writeSafetensors(new Map([['w', { dtype: 'F32', shape: [1], bytes: new Uint8Array(2) }]]))).toThrow(
      /'w' of F32 \[1\] needs 4 bytes, not 2/,
    );
  });
});
