import { describe, expect, it } from 'vitest';
import { UserError } from '../../common/userError';
import { CIFAR_10, CIFAR_100, cifarSet, parseCifar, parseClassNames } from './cifar';

/** Records with the given label bytes; pixel p of record r is (r + p) mod 251. */
function records(labels: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from(
    labels.flatMap((label, record) => [...label, ...Array.from({ length: 3072 }, (_, p) => (record + p) % 251)]),
  );
}

const lines = (count: number): Uint8Array =>
  new TextEncoder().encode(Array.from({ length: count }, (_, index) => `class${index}\r\n`).join('') + '\n\n');

describe('parseCifar', () => {
  it('reads CIFAR-10 records of several files in order', () => {
    const files = [
      { name: 'a.bin', bytes: records([[3], [9]]) },
      { name: 'b.bin', bytes: records([[0]]) },
    ];
    const { images, labels } = parseCifar(files, CIFAR_10);
    expect([...labels]).toEqual([3, 9, 0]);
    expect(images.length).toBe(3 * 3072);
    expect([images[0], images[3071], images[3072], images[2 * 3072]]).toEqual([0, 3071 % 251, 1, 0]);
  });

  it('takes the fine label of CIFAR-100', () => {
    const { images, labels } = parseCifar(
      [
        {
          name: 'train.bin',
          bytes: records([
            [19, 99],
            [1, 42],
          ]),
        },
      ],
      CIFAR_100,
    );
    expect([...labels]).toEqual([99, 42]);
    expect([images[0], images[3072]]).toEqual([0, 1]);
  });

  it.each([
    ['an empty file', new Uint8Array(0), /^x\.bin is empty.*again/],
    ['a cut file', records([[1], [2]]).subarray(0, 4000), /^x\.bin has 4000 bytes: 1 whole .* 927 bytes more.*again/],
    ['a label out of range', records([[1], [10]]), /^x\.bin, record 1: label 10, .* has classes 0 to 9.*again/],
  ])('refuses %s', (_, bytes, message) => {
    const parse = (): unknown => parseCifar([{ name: 'x.bin', bytes }], CIFAR_10);
    expect(parse).toThrow(UserError);
    expect(parse).toThrow(message);
  });
});

describe('parseClassNames', () => {
  it('reads one name a line, blank lines and carriage returns aside', () => {
    expect(parseClassNames({ name: 'n', bytes: lines(10) }, CIFAR_10)).toHaveLength(10);
    expect(parseClassNames({ name: 'n', bytes: lines(10) }, CIFAR_10)[9]).toBe('class9');
  });

  it('refuses a wrong number of them', () => {
    expect(() => parseClassNames({ name: 'n.txt', bytes: lines(9) }, CIFAR_10)).toThrow(/n\.txt names 9 classes.*10/);
  });
});

describe('cifarSet', () => {
  it('gives both halves the statistics of the training images', () => {
    const half = (name: string, value: number): { name: string; bytes: Uint8Array } => ({
      name,
      bytes: new Uint8Array(3073).fill(value).fill(1, 0, 1),
    });
    const { train, test } = cifarSet(
      { train: [half('a', 0), half('b', 255)], test: half('c', 51), classNames: { name: 'n', bytes: lines(10) } },
      CIFAR_10,
    );
    expect(train).toMatchObject({ name: 'CIFAR-10', width: 32, height: 32, channels: 3, count: 2 });
    expect(train.mean).toEqual([0.5, 0.5, 0.5]);
    expect(train.std).toEqual([0.5, 0.5, 0.5]);
    expect(test).toMatchObject({ count: 1, mean: train.mean, std: train.std, classes: train.classes });
    expect(test.images[0]).toBe(51);
  });
});
