import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { memorySource } from './byteSource';
import { tensorData, tensorFloat32, type Safetensors } from './safetensors';
import { zipOf } from '../testing/testZip';
import { isTorchFile, readTorchFile } from './torchFile';
import { UserError } from '../common/userError';

/*
 * torch.zip.pth and torch.legacy.pth were saved by PyTorch 1.13: the same checkpoint `{model, optimizer, epoch, scaler,
 * args, …}` in both of its formats, the model as if trained on several GPUs. torch.plain.pth is the state dict of a
 * Linear(2, 2). All figures below are PyTorch's.
 */
const bytesOf = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`testFiles/${name}`, import.meta.url)));
const load = (name: string): Safetensors => readTorchFile(memorySource(bytesOf(name)), name);

const elements = (file: Safetensors, name: string): unknown[] => {
  const tensor = file.tensors.get(name);
  if (!tensor) throw new Error(`no ${name}`);
  const isHalf = tensor.dtype === 'F16' || tensor.dtype === 'BF16';
  return [...(isHalf ? tensorFloat32(tensor) : tensorData(tensor))];
};

describe.each(['torch.zip.pth', 'torch.legacy.pth'])('%s', (name) => {
  const file = load(name);

  it.each<[string, string, number[], unknown[]]>([
    ['rows', 'F32', [3, 4], [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5]],
    ['shared.a', 'F32', [3], [2, 3, 4]],
    ['shared.b', 'F32', [10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['columns', 'F32', [4, 3], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]],
    ['steps', 'F32', [4], [1, 4, 7, 10]],
    ['expanded', 'F32', [3], [7, 7, 7]],
    ['scalar', 'F32', [], [2.5]],
    ['none', 'F32', [0, 3], []],
    ['half', 'F16', [3], [1.5, -2, 65504]],
    ['bfloat', 'BF16', [3], [1.5, -2, 3.00405527047391e38]],
    ['double', 'F64', [1], [0.1]],
    ['long', 'I64', [2], [9007199254740993n, -1n]],
    ['int', 'I32', [1], [-5]],
    ['short', 'I16', [1], [-6]],
    ['char', 'I8', [1], [-7]],
    ['byte', 'U8', [1], [200]],
    ['bool', 'BOOL', [2], [1, 0]],
    ['parameter', 'F32', [1, 2], [1, 2]],
  ])('%s', (tensor, dtype, shape, values) => {
    expect(file.tensors.get(tensor)).toMatchObject({ dtype, shape });
    expect(elements(file, tensor)).toEqual(values);
  });

  it('has nothing else, and tells what the script was called with', () => {
    expect(file.tensors.size).toBe(18);
    expect(file.metadata).toEqual({
      'torch.key': 'model',
      epoch: '399',
      'args.norm_pix_loss': 'true',
      'args.mask_ratio': '0.75',
      'args.model': 'mae_vit_base_patch16',
      'args.blr': '0.00015',
      'args.device': 'cuda:0',
      'args.where': '/a/b',
      'args.count': '3',
    });
  });

  it('is an error at every truncation', () => {
    const whole = bytesOf(name);
    expect(isTorchFile(memorySource(whole))).toBe(true);
    for (let length = 15; length < whole.length; length++) {
      expect(() => readTorchFile(memorySource(whole.subarray(0, length)), 'x'), `${length} bytes`).toThrow(UserError);
    }
  });

  it('is a value or a UserError whatever byte is damaged', () => {
    const whole = bytesOf(name);
    for (let at = 15; at < whole.length; at += 5) {
      const damaged = whole.slice();
      damaged[at] = (whole[at] as number) ^ 0x55;
      try {
        readTorchFile(memorySource(damaged), 'x');
      } catch (error) {
        if (!(error instanceof UserError)) throw new Error(`byte ${at}`, { cause: error });
      }
    }
  });
});

it('a state dict alone', () => {
  const file = load('torch.plain.pth');
  expect(file.metadata).toEqual({});
  expect(elements(file, 'l.bias')).toEqual([-0.27234524488449097, 0.1896158903837204]);
  expect(elements(file, 'l.weight')).toEqual([
    -0.005293981172144413, 0.37932288646698, -0.5819807648658752, -0.5203874707221985,
  ]);
});

it('holds one copy: tensors that share a storage, or lie in rows, are views', () => {
  const source = bytesOf('torch.zip.pth');
  const { tensors } = readTorchFile(memorySource(source), 'x');
  expect(tensors.get('rows')?.bytes.buffer).toBe(source.buffer);
  expect(tensors.get('shared.a')?.bytes.byteOffset).toBe((tensors.get('shared.b')?.bytes.byteOffset ?? 0) + 8);
});

/** A pickle of `{name: tensor}`; each tensor as (offset, shape, strides) over a FloatStorage '0' of `count` elements. */
function pickleOf(
  name: string,
  [offset, shape, strides]: readonly [number, number[], number[]],
  count: number,
  type = 'torch\nFloatStorage',
): Uint8Array {
  const chars = (text: string): number[] => Array.from(text, (char) => char.charCodeAt(0));
  const text = (value: string): number[] => [0x58, value.length, 0, 0, 0, ...chars(value)];
  const int = (value: number): number[] => [0x4a, ...Array.from({ length: 4 }, (_, i) => (value >> (8 * i)) & 255)];
  const tuple = (...items: number[][]): number[] => [0x28, ...items.flat(), 0x74];
  return Uint8Array.from([
    ...[0x80, 2, 0x7d, ...text(name), ...chars('ctorch._utils\n_rebuild_tensor_v2\n'), 0x28],
    ...[...tuple(text('storage'), chars(`c${type}\n`), text('0'), text('cpu'), int(count)), 0x51],
    ...[...int(offset), ...tuple(...shape.map(int)), ...tuple(...strides.map(int))],
    ...[0x89, 0x7d, 0x74, 0x52, 0x73, 0x2e],
  ]);
}

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('the archive', () => {
  const pickle = pickleOf('w', [0, [2], [1]], 2);
  const files = {
    'any/name.txt': text('x'),
    'model_7/data.pkl': pickle,
    'model_7/byteorder': text('little'),
    'model_7/data/0': floats(1, -2),
  };

  it('has a top-level name of any kind', () => {
    expect(elements(readTorchFile(zipOf(files), 'x'), 'w')).toEqual([1, -2]);
    expect(elements(readTorchFile(zipOf({ 'data.pkl': pickle, 'data/0': floats(3, 4) }), 'x'), 'w')).toEqual([3, 4]);
  });

  it('of several models gives the likelier one, and tells of the others', () => {
    const key = (name: string): number[] => [0x8c, name.length, ...text(name)];
    const model = [...pickle.slice(2, -1)];
    const both = [0x80, 2, 0x7d, ...['student', 'teacher'].flatMap((name) => [...key(name), ...model, 0x73]), 0x2e];
    const file = readTorchFile(zipOf({ 'data.pkl': Uint8Array.from(both), 'data/0': floats(3, 4) }), 'x');
    expect(elements(file, 'w')).toEqual([3, 4]);
    expect(file.metadata).toEqual({ 'torch.key': 'teacher', 'torch.others': 'student' });
  });

  it('of a machine of the other byte order', () => {
    const other = {
      ...files,
      'model_7/byteorder': text('big\n'),
      'model_7/data/0': Uint8Array.of(0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0),
    };
    expect(elements(readTorchFile(zipOf(other), 'x'), 'w')).toEqual([1, -2]);
    expect(() => readTorchFile(zipOf({ ...other, 'model_7/byteorder': text('middle') }), 'x')).toThrow(
      'its order of bytes is "middle"',
    );
  });

  it('beyond 4 GiB, reading no more than it needs', () => {
    expect(elements(readTorchFile(zipOf(files, { zip64: true }), 'x'), 'w')).toEqual([1, -2]);
    const large = zipOf(files, { zip64: true, gap: 5 * 2 ** 30 });
    let read = 0;
    const counted = {
      size: large.size,
      read: (at: number, length: number) => ((read += length), large.read(at, length)),
    };
    expect(elements(readTorchFile(counted, 'x'), 'w')).toEqual([1, -2]);
    expect(read).toBeLessThan(70_000);
  });

  it.each<[string, Parameters<typeof zipOf>, string]>([
    ['compressed', [files, { method: 8 }], 'Cannot read x: its model_7/byteorder is compressed'],
    ['of something else', [{ 'word/document.xml': text('x') }], 'without a data.pkl'],
    ['without a storage', [{ 'a/data.pkl': pickle }], 'it has no a/data/0'],
    [
      'whose storage is too short',
      [{ ...files, 'model_7/data/0': floats(1) }],
      "tensor 'w' reaches to element 2 of its storage, which has 1",
    ],
    [
      'whose tensor has an impossible shape',
      [{ ...files, 'model_7/data.pkl': pickleOf('w', [0, [2 ** 30, 2 ** 30, 2 ** 30], [0, 0, 0]], 2) }],
      'repeats its storage',
    ],
    [
      'whose tensor is far outside',
      [{ ...files, 'model_7/data.pkl': pickleOf('w', [2 ** 30, [1], [1]], 2) }],
      'reaches to element 1073741825',
    ],
    [
      'whose tensor has no strides',
      [{ ...files, 'model_7/data.pkl': pickleOf('w', [0, [2], []], 2) }],
      'its shape is none',
    ],
    [
      'of complex numbers',
      [{ ...files, 'model_7/data.pkl': pickleOf('w', [0, [1], [1]], 1, 'torch\nComplexFloatStorage') }],
      "tensor 'w' is of a ComplexFloatStorage",
    ],
    [
      'that asks for a program',
      [{ ...files, 'model_7/data.pkl': text("cposix\nsystem\n(S'true'\ntR.") }],
      "asks for Python's posix.system",
    ],
    [
      'that holds a whole module',
      [{ ...files, 'model_7/data.pkl': text('c__main__\nNet\n)\x81.') }],
      "asks for Python's __main__.Net",
    ],
    [
      'that holds no tensors',
      [{ ...files, 'model_7/data.pkl': text("}S'lr'\nI1\ns.") }],
      'x holds no model\'s tensors. It has "lr"; give a file with a state dict',
    ],
    [
      'whose tensor lies in no storage',
      [{ ...files, 'model_7/data.pkl': text('ctorch._utils\n_rebuild_tensor_v2\n(I1\nI0\n))I00\n}tR.') }],
      'it lies in no storage',
    ],
  ])('is refused: %s', (_, [content, options], message) => {
    expect(() => readTorchFile(zipOf(content, options), 'x')).toThrow(UserError);
    expect(() => readTorchFile(zipOf(content, options), 'x')).toThrow(message);
  });

  it('what repeats without end is refused without being gone through', () => {
    // (((…, …), …), …): thirty levels, each twice what is under it, are 30 bytes and a thousand million parts.
    const repeated = `)${'2\x86'.repeat(30)}`;
    const named = text(`ctorch\ndevice\n(${repeated}tR.`.replaceAll('\x86', '\u0000'));
    const pickled = named.map((byte) => (byte === 0 ? 0x86 : byte));
    expect(() => readTorchFile(zipOf({ 'a/data.pkl': pickled }), 'x')).toThrow('something else than text');
  });
});

it('is told from other files by what it begins with', () => {
  expect(isTorchFile(memorySource(text('{}')))).toBe(false);
  expect(isTorchFile(memorySource(new Uint8Array()))).toBe(false);
});
