import { describe, expect, it } from 'vitest';
import { CIFAR_10 } from './cifar';
import { cifarPickleSet } from './cifarPickle';
import { array, global, pickledBatch, pickledNames } from '../../testing/cifarPickle.samples';

const IMAGE = Uint8Array.from({ length: 3072 }, (_, i) => i % 256);
const BATCH = pickledBatch({ labels: [4] }, IMAGE);
const NAMES = pickledNames('label_names', 10);

function load(batch: Uint8Array, names = NAMES): ReturnType<typeof cifarPickleSet> {
  const test = { name: 'test_batch', bytes: BATCH };
  return cifarPickleSet(
    { train: [{ name: 'data_batch_1', bytes: batch }], test, classNames: { name: 'batches.meta', bytes: names } },
    CIFAR_10,
  );
}

describe('cifarPickleSet', () => {
  it('reads every byte of an image, those that are no text as well', () => {
    const { train, test } = load(pickledBatch({ labels: [4, 0] }, Uint8Array.of(...IMAGE, ...IMAGE.toReversed())));
    expect([...train.labels, ...test.labels]).toEqual([4, 0, 4]);
    expect(train.images.subarray(0, 3072)).toEqual(IMAGE);
    expect(train.images.subarray(3072)).toEqual(IMAGE.toReversed());
    expect(train.classes[9]).toBe('class9');
  });

  it.each<[string, Uint8Array, RegExp]>([
    [
      'asks for a function',
      pickledBatch({ labels: [4] }, IMAGE, global('os', 'system')),
      /data_batch_1: .*os\.system.*Nothing was executed/,
    ],
    [
      'has other labels',
      pickledBatch({ fine_labels: [4] }, IMAGE),
      /data_batch_1: it has no data and labels, as CIFAR-10 has/,
    ],
    [
      'has a label too high',
      pickledBatch({ labels: [10] }, IMAGE),
      /data_batch_1: image 0 has the label 10, but CIFAR-10 has classes 0 to 9/,
    ],
    [
      'has a label too few',
      pickledBatch({ labels: [] }, IMAGE),
      /data is \[1, 3072\] in 3072 bytes; 0 labels want \[0, 3072\]/,
    ],
    [
      'has too few bytes',
      pickledBatch({ labels: [4] }, IMAGE, array([1, 3072], IMAGE.subarray(1))),
      /it needs 3072 bytes and has 3071/,
    ],
    [
      'is an array of floats',
      pickledBatch({ labels: [4] }, IMAGE, array([1, 768], IMAGE, { type: 'f4' })),
      /an array of bytes is wanted/,
    ],
    ['was cut short', BATCH.subarray(0, 2000), /data_batch_1: .*cut short/],
  ])('says what is wrong with a batch that %s', (_, batch, message) => {
    expect(() => load(batch)).toThrow(message);
  });

  it('reads an array whose columns lie one behind the other', () => {
    const other = IMAGE.toReversed();
    const columns = Uint8Array.from({ length: 2 * 3072 }, (_, at) => (at % 2 === 0 ? IMAGE : other)[at >> 1] as number);
    const { train } = load(pickledBatch({ labels: [4, 0] }, columns, array([2, 3072], columns, { fortran: true })));
    expect(train.images.subarray(0, 3072)).toEqual(IMAGE);
    expect(train.images.subarray(3072)).toEqual(other);
  });

  it.each([
    ['an array of i8', [4, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0], 'i8', [4, 9]],
    ['an array of bytes', [4, 9], 'u1', [4, 9]],
  ])('reads labels as %s', (_, bytes, type, labels) => {
    const images = Uint8Array.of(...IMAGE, ...IMAGE);
    expect([
      ...load(pickledBatch({}, images, undefined, { labels: array([2], Uint8Array.from(bytes), { type, order: '<' }) }))
        .train.labels,
    ]).toEqual(labels);
  });

  it('wants the names of all classes', () => {
    expect(() => load(BATCH, pickledNames('label_names', 9))).toThrow(
      /batches\.meta: it does not name the 10 classes of CIFAR-10/,
    );
  });
});
