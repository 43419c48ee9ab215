import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { zipOf } from '../testing/testZip';
import { memorySource } from './byteSource';
import { tensorFloat32 } from './safetensors';
import { readTensorFile } from './tensorFile';

/*
 * Sound checkpoints as people have them, and files that are none: what is read, and what is said. The files were written
 * by PyTorch 2, each with one plain thing beside its tensors.
 */

const load = (name: string): ReturnType<typeof readTensorFile> =>
  readTensorFile(
    memorySource(new Uint8Array(readFileSync(new URL(`testFiles/${name}.pth`, import.meta.url)))),
    `${name}.pth`,
  );

describe('tensors are read beside', () => {
  it.each([
    ['a defaultdict of int', 'defaultdict_int'],
    ['a number of numpy in half precision', 'with_np_float16'],
    ['a text of numpy', 'with_np_str'],
    ['the version of PyTorch', 'with_version'],
    ['nothing, in the older format with protocol 4', 'proto4_legacy'],
  ])('%s', (_, name) => {
    const { tensors } = load(name);
    expect(tensors.size).toBeGreaterThan(0);
    for (const tensor of tensors.values()) {
      const values = tensorFloat32(tensor);
      expect(values.length).toBe(tensor.shape.reduce((product, side) => product * side, 1));
      expect(values.every(Number.isFinite)).toBe(true);
    }
  });

  const chars = (text: string): number[] => [...new TextEncoder().encode(text)];
  const text = (value: string): number[] => [0x58, value.length, 0, 0, 0, ...chars(value)];
  const global = (name: string): number[] => chars(`c${name.replace(/\.([^.]+)$/, '\n$1')}\n`);
  /** A tensor [1, 2] of f32. */
  const tensor = [
    ...[...chars('ctorch._utils\n_rebuild_tensor_v2\n'), 0x28],
    ...[
      0x28,
      ...text('storage'),
      ...chars('ctorch\nFloatStorage\n'),
      ...text('0'),
      ...text('cpu'),
      0x4b,
      2,
      0x74,
      0x51,
    ],
    ...[0x4b, 0, 0x28, 0x4b, 2, 0x74, 0x28, 0x4b, 1, 0x74, 0x89, 0x7d, 0x74, 0x52],
  ];
  const dict = (entries: Readonly<Record<string, number[]>>): number[] => [
    0x7d,
    0x28,
    ...Object.entries(entries).flatMap(([key, value]) => [...text(key), ...value]),
    0x75,
  ];
  const saved = (content: number[]): ReturnType<typeof zipOf> =>
    zipOf({
      'a/data.pkl': Uint8Array.from([0x80, 2, ...content, 0x2e]),
      'a/data/0': new Uint8Array(Float32Array.of(1, 2).buffer),
    });
  const NONE = [0x4e];
  const EMPTY = [0x29];

  it.each<[string, Record<string, number[]>]>([
    ['a configuration under model', { model: dict({ depth: [0x4b, 2] }), state_dict: dict({ w: tensor }) }],
    ['an empty one under model', { model: [0x7d], state_dict: dict({ w: tensor }) }],
    [
      'a deque',
      { last: [...global('collections.deque'), ...EMPTY, 0x52, 0x28, 0x4b, 1, 0x65], model: dict({ w: tensor }) },
    ],
    ['a date', { at: [...global('datetime.datetime'), ...text('x'), 0x85, 0x52], model: dict({ w: tensor }) }],
    [
      'a complex number',
      { z: [...global('__builtin__.complex'), 0x4b, 1, 0x4b, 2, 0x86, 0x52], model: dict({ w: tensor }) },
    ],
    [
      'a configuration of yacs',
      {
        cfg: [...global('yacs.config.CfgNode'), ...EMPTY, 0x81, 0x28, ...text('lr'), 0x4b, 1, 0x75, 0x7d, 0x62],
        model: dict({ w: tensor }),
      },
    ],
    [
      'a configuration of omegaconf',
      {
        cfg: [...global('omegaconf.dictconfig.DictConfig'), ...EMPTY, 0x81, ...dict({ _content: NONE }), 0x62],
        model: dict({ w: tensor }),
      },
    ],
    [
      'texts of numpy',
      {
        names: [
          ...[
            ...global('numpy.core.multiarray._reconstruct'),
            ...global('numpy.ndarray'),
            0x4b,
            0,
            0x85,
            ...text('b'),
            0x87,
            0x52,
          ],
          ...[
            0x28,
            0x4b,
            1,
            0x4b,
            1,
            0x85,
            ...global('numpy.dtype'),
            ...text('U4'),
            0x89,
            0x88,
            0x87,
            0x52,
            0x89,
            ...text('x'),
            0x74,
            0x62,
          ],
        ],
        model: dict({ w: tensor }),
      },
    ],
  ])('%s', (_, content) => {
    expect([...tensorFloat32(readTensorFile(saved(dict(content)), 'x').tensors.get('w') as never)]).toEqual([1, 2]);
  });

  it('but not beside anything that may do something', () => {
    const content = dict({ hook: [...global('posix.system'), ...text('x'), 0x85, 0x52], model: dict({ w: tensor }) });
    expect(() => readTensorFile(saved(content), 'x')).toThrow(/posix\.system.*Nothing was executed/);
  });

  it('and a model of numpy arrays is named as one', () => {
    const array = [
      ...global('numpy.core.multiarray._reconstruct'),
      ...global('numpy.ndarray'),
      0x4b,
      0,
      0x85,
      ...text('b'),
      0x87,
      0x52,
    ];
    for (const content of [dict({ w: array }), dict({ model: dict({ w: array }) })])
      expect(() => readTensorFile(saved(content), 'x')).toThrow(
        /^x holds a model as numpy arrays, not as tensors\. Save it/,
      );
  });
});

it('a safetensors file whose length looks like text is one', () => {
  const header = JSON.stringify({ __metadata__: { a: '' } }).padEnd(0x7b20 - 8);
  const file = new Uint8Array(8 + header.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(new TextEncoder().encode(header), 8);
  expect(readTensorFile(memorySource(file), 'x').metadata).toEqual({ a: '' });
});

describe('what is no checkpoint is named', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  it.each<[string, Uint8Array, RegExp]>([
    [
      'a pointer of Git LFS',
      bytes('version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 343223968\n'),
      /^Cannot read x: it is a pointer of Git LFS, not the file.*git lfs pull/,
    ],
    [
      'a web page',
      bytes('\n<!DOCTYPE html>\n<html><head>'),
      /^Cannot read x: it is a web page.*Download the file itself/,
    ],
    ['a page without a doctype', bytes('<html lang="en">'), /web page/],
    ['a web page of XML', bytes('<?xml version="1.0"?><Error><Code>AccessDenied'), /web page/],
    ['a message of a server', bytes('{"error":"Repository not found"}'), /it is JSON text/],
    ['a packed file', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0), /it is packed by gzip.*Unpack it/],
    ['Keras’s', Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a), /it is an HDF5 file/],
    ['llama.cpp’s', bytes('GGUF\x03\0\0\0\0\0\0\0'), /it is a GGUF file/],
    ['numpy’s', Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0), /it is a numpy array/],
  ])('%s', (_, content, message) => {
    expect(() => readTensorFile(memorySource(content), 'x')).toThrow(message);
  });
});
