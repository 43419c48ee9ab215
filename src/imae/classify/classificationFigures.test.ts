import { describe, expect, it } from 'vitest';
import { classificationOf, shareInterval, someImages } from './classification';
import { classificationSections } from './classificationFigures';
import { COLOURED } from '../../testing/pointClassifier';

const scores = (calls: readonly number[], classes: number): Float32Array =>
  Float32Array.from(calls.flatMap((call) => Array.from({ length: classes }, (_, label) => Number(label === call))));

describe('the figures of a classifier', () => {
  const result = classificationOf(scores([0, 0, 1, 2, 2, 2], 3), [0, 0, 1, 1, 2, 2], 3);
  const curve = [1, 2].map((epoch) => ({ epoch, loss: 1 / epoch, top1: epoch / 2, top5: 1 }));
  const reference = {
    title: 'raw pixels',
    reference: true,
    result: classificationOf(scores([0, 0, 0, 0, 0, 0], 3), [0, 0, 1, 1, 2, 2], 3),
  };
  const sections = classificationSections(
    [{ title: 'this', reference: false, result: { ...result, curve } }, reference],
    ['a', 'b', 'c'],
    'Budget.',
  );
  const figures = sections.flatMap((section) => section.figures);

  it('are curves with chance, bars, a table, classes and confusions', () => {
    expect(figures.map(({ kind }) => kind)).toEqual(['lines', 'bars', 'table', 'bars', 'matrix']);
    const [lines, bars, table, classes, matrix] = figures;
    expect(lines).toMatchObject({
      x: { values: [1, 2] },
      lines: [
        { values: [0.5, 1] },
        { values: [null, null], reference: true },
        { values: [1 / 3, 1 / 3], reference: true },
      ],
    });
    expect(bars).toMatchObject({
      bars: [{ value: 5 / 6 }, { value: 1 / 3, reference: true }, { title: 'chance', value: 1 / 3 }],
    });
    expect(table).toMatchObject({
      rows: [
        ['this', '83.3 %', expect.any(String)],
        ['raw pixels', '33.3 %', expect.any(String)],
      ],
    });
    expect(classes).toMatchObject({
      bars: [
        { title: 'a', value: 1 },
        { title: 'b', value: 0.5 },
        { title: 'c', value: 1 },
      ],
    });
    expect(matrix).toMatchObject({
      values: [
        [1, 0, 0],
        [0, 0.5, 0.5],
        [0, 0, 1],
      ],
    });
    for (const { caption } of figures) expect(caption).toContain('Budget.');
  });

  it('name the hardest classes and the most frequent confusions where there are many', () => {
    const labels = Array.from({ length: 80 }, (_, image) => image % 40);
    const many = classificationOf(
      scores(
        labels.map((label) => (label < 3 ? 39 : label)),
        40,
      ),
      labels,
      40,
    );
    const [first, section] = classificationSections(
      [{ title: 'this', reference: false, result: many }],
      labels.slice(0, 40).map(String),
      'Budget.',
    );
    expect(first?.figures.at(-1)).toMatchObject({ rows: [['this', '92.5 %', expect.any(String), '100.0 %']] }); // top-5 says something
    const [bars, table] = section?.figures ?? [];
    expect(bars?.kind === 'bars' && bars.bars.length).toBe(30);
    expect(bars?.kind === 'bars' && bars.bars.slice(0, 4).map(({ value }) => value)).toEqual([0, 0, 0, 1]);
    expect(table?.kind === 'table' && table.rows).toEqual([
      ['0', '39', '2', '100.0 %'],
      ['1', '39', '2', '100.0 %'],
      ['2', '39', '2', '100.0 %'],
    ]);
  });
});

describe('shares', () => {
  it('have the interval of Wilson', () => {
    // Agresti and Coull's example: nothing of 10 gives 0 to 0.278.
    const [low, high] = shareInterval(0, 10);
    expect(low).toBeCloseTo(0, 12);
    expect(high).toBeCloseTo(0.2775, 4);
    const [lower, upper] = shareInterval(0.5, 100);
    expect([lower, upper].map((value) => Number(value.toFixed(4)))).toEqual([0.4038, 0.5962]);
  });
});

describe('some images of a set', () => {
  it('are drawn by the seed, in order, with their labels, wherever they lie', async () => {
    const { train } = COLOURED;
    const few = someImages(train, 20, 1);
    const bytes = 3 * 16 * 16;
    expect([few.count, few.labels.length, few.images.length]).toEqual([20, 20, 20 * bytes]);
    const all = Array.from({ length: train.count }, (_, image) =>
      train.images.subarray(image * bytes, (image + 1) * bytes).join(),
    );
    const places = Array.from({ length: 20 }, (_, image) =>
      all.indexOf(few.images.subarray(image * bytes, (image + 1) * bytes).join()),
    );
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(new Set(places).size).toBe(20);
    expect([...few.labels]).toEqual(places.map((place) => train.labels[place]));
    expect(someImages(train, 20, 2).images).not.toEqual(few.images);
    expect(someImages(train, 96, 1)).toBe(train);
    const { images, ...facts } = train;
    const read = async (indices: ArrayLike<number>): Promise<Uint8Array> =>
      Uint8Array.from(Array.from(indices).flatMap((image) => [...images.subarray(image * bytes, (image + 1) * bytes)]));
    const streamed = someImages({ ...facts, read }, 20, 1);
    expect(await streamed.read([0, 19])).toEqual(
      Uint8Array.from([...few.images.subarray(0, bytes), ...few.images.subarray(19 * bytes)]),
    );
  });
});
