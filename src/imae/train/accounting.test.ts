import { describe, expect, test } from 'vitest';
import { adviseOnMemory, countParameters, estimateMemory, stepFlops, stepShape } from './accounting';
import { resolveConfig, type ModelSize } from '../config/config';

const vitB: ModelSize = {
  image: 224,
  channels: 3,
  patch: 16,
  dim: 768,
  depth: 12,
  heads: 12,
  decoderDim: 512,
  decoderDepth: 8,
  decoderHeads: 16,
};
const cifar: ModelSize = {
  image: 32,
  channels: 3,
  patch: 4,
  dim: 192,
  depth: 12,
  heads: 3,
  decoderDim: 192,
  decoderDepth: 4,
  decoderHeads: 3,
};

describe('parameters', () => {
  test('ViT-B/16 has the 111,907,840 of the published MAE checkpoint', () => {
    const count = countParameters(vitB, 1);
    expect(count.trained + count.positions).toBe(111_907_840);
    expect(count.positions).toBe(197 * (768 + 512));
  });

  test('a small model has as many as its PyTorch twin', () => {
    const size = { ...cifar, image: 16, dim: 48, depth: 2, decoderDim: 32, decoderDepth: 1, decoderHeads: 2 };
    expect(countParameters(size, 1)).toMatchObject({ trained: 74_992, positions: 1360 });
    expect(countParameters(size, 2).trained).toBe(76_560);
  });

  test('a second branch adds one linear layer', () => {
    const [one, two] = [countParameters(cifar, 1), countParameters(cifar, 2)];
    expect(two.trained - one.trained).toBe(192 * 192 + 192);
    expect(two.encoder + two.decoderEmbed + two.decoder).toBe(two.trained);
  });
});

describe('arithmetic of a step, against the values of the formula in Python', () => {
  test.each([
    ['cifar, patch 4, two-way, batch 512', { size: cifar, branches: 2, batch: 512, teacher: cifar }, 1_215_391_334_400],
    ['cifar, patch 2, MAE, batch 256', { size: { ...cifar, patch: 2 }, branches: 1, batch: 256 }, 1_414_228_082_688],
    ['ViT-B, two-way, batch 64', { size: vitB, branches: 2, batch: 64, teacher: vitB }, 6_799_053_815_808],
  ] as const)('%s', (_name, shape, expected) => {
    expect(stepFlops({ ...shape, maskRatio: 0.75 })).toBe(expected);
  });

  test('a teacher that sees the mixture sees half as many images', () => {
    const shape = { size: cifar, branches: 2, maskRatio: 0.75, batch: 8 } as const;
    const of = (more: object): number => stepFlops({ ...shape, ...more });
    const clean = of({ teacher: cifar }) - of({});
    expect(of({ teacher: cifar, teacherSeesMixture: true }) - of({})).toBe(clean / 2);
  });
});

test('LC-MAE sees each image under two masks: twice the work and the activations of an MAE', () => {
  const config = resolveConfig([{ source: 'test', values: { training: { mode: 'lcmae' } } }]);
  const [mae, lcmae] = [stepShape(config, 'mae'), stepShape(config, 'lcmae')];
  expect(stepFlops(lcmae)).toBe(2 * stepFlops(mae));
  expect(estimateMemory(lcmae, 0).activations).toBe(2 * estimateMemory(mae, 0).activations);
  expect(estimateMemory(lcmae, 0).parameters).toBe(estimateMemory(mae, 0).parameters);
});

test('masks by attention cost the teacher’s encoder on the whole mixture', () => {
  const flops = (mask: string): number =>
    stepFlops(stepShape(resolveConfig([{ source: 'test', values: { preset: 'cifar', masking: { mask } } }]), 'imae'));
  // ViT-Tiny on 256 patches and the class token, forward: 2 · (12·192²·12·257 + 4·192·257²·12/2), for each of 256 images.
  expect(flops('attention') - flops('random')).toBe(
    256 * 2 * (12 * 192 ** 2 * 12 * 257 + (4 * 192 * 257 ** 2 * 12) / 2),
  );
  expect(flops('variance')).toBe(flops('random'));
});

test('memory: four arenas, the teacher, the images, and activations in proportion to the batch', () => {
  const shape = { size: cifar, branches: 2, maskRatio: 0.75, teacher: cifar } as const;
  const [one, three] = [estimateMemory({ ...shape, batch: 1 }, 1000), estimateMemory({ ...shape, batch: 3 }, 1000)];
  const { trained, positions } = countParameters(cifar, 2);
  expect(one.parameters).toBe(16 * trained + 4 * positions);
  expect(one.images).toBe(1000);
  expect(three.activations).toBe(3 * one.activations);
  expect(one.total).toBe(one.parameters + one.teacher + one.images + one.activations);
  expect(estimateMemory({ size: cifar, branches: 2, maskRatio: 0.75, batch: 1 }, 0).teacher).toBe(0);
});

test('memory where blocks are computed twice: ViT-B, two-way, at batch 64, needs less than 8 GB', () => {
  const shape = { size: vitB, branches: 2, maskRatio: 0.75, batch: 64, teacher: vitB } as const;
  const [kept, again] = [estimateMemory(shape, 0), estimateMemory({ ...shape, recompute: true }, 0)];
  expect(again).toMatchObject({ parameters: kept.parameters, teacher: kept.teacher });
  expect([kept.total > 10e9, again.total < 5e9]).toEqual([true, true]);
});

describe('advice where memory is short', () => {
  const advice = (values: object, room: { budget?: number; binding?: number }): string => {
    const config = resolveConfig([{ source: 'test', values }]);
    return adviseOnMemory(
      config,
      'imae',
      1000,
      { budget: Infinity, binding: Infinity, ...room },
      room.binding ? 'binding' : 'budget',
    );
  };

  test('names the fewest micro-batches that fit', () => {
    const config = { preset: 'cifar', model: { patch: 4 }, training: { batch: 256 } };
    const whole = { size: cifar, branches: 2, maskRatio: 0.75, teacher: cifar } as const;
    const bytes = (batch: number): number => estimateMemory({ ...whole, batch }, 1000 * 3072).total;
    expect(advice(config, { budget: bytes(64) + 1 })).toMatch(
      /^Give --accumulate 4: .* 256 images, computed 64 at a time/,
    );
    expect(advice(config, { budget: bytes(64) + 1 })).toMatch(/\. With --recompute blocks, 2 will do\. Else/);
    expect(advice(config, { budget: bytes(64) })).toMatch(/^Give --accumulate 8:/);
    const saving = { ...config, training: { batch: 256, recompute: 'blocks' } };
    expect(advice(saving, { budget: bytes(64) })).toMatch(/^Give --accumulate 2: [^.]*\. Else/);
    // Two branches of 65 tokens, hidden layers of 768, f32.
    expect(advice(config, { binding: 32 * 2 * 65 * 768 * 4 })).toMatch(/^Give --accumulate 8:/);
  });

  test('names blocks that are computed twice where that is enough, and both where it takes both', () => {
    const config = { preset: 'cifar', model: { patch: 4 }, training: { batch: 256 } };
    const whole = { size: cifar, branches: 2, maskRatio: 0.75, teacher: cifar } as const;
    const bytes = (batch: number, recompute = false): number =>
      estimateMemory({ ...whole, batch, recompute }, 1000 * 3072).total;
    expect(advice(config, { budget: bytes(128) + 1 })).toMatch(/^Give --recompute blocks: .* Or --accumulate 2: /);
    expect(advice(config, {})).toMatch(/^Give --recompute blocks: /); // nobody knows how much there is
    expect(advice(config, { budget: bytes(1, true) + 1 })).toMatch(
      /^Give --recompute blocks --accumulate 256: .* 1 at a time/,
    );
  });

  test('is a smaller model where weights alone are too many, and a smaller batch too where not', () => {
    expect(advice({ model: { dim: 65536 } }, { budget: 2 ** 30 })).toBe('Give a smaller model (--dim, --depth).');
    expect(advice({ training: { batch: 1 } }, { binding: 4 * 64 * 4 * 64 })).toMatch(/larger patches/);
  });
});

test('memory in f16: a copy of the weights more, and of the activations the residual stream alone as large as before', () => {
  const shape = { size: cifar, branches: 2, maskRatio: 0.75, teacher: cifar, batch: 8 } as const;
  const [single, half] = [estimateMemory(shape, 1000), estimateMemory({ ...shape, precision: 'f16' }, 1000)];
  const teacher = countParameters(cifar, 1);
  expect(half.parameters - single.parameters).toBe(2 * countParameters(cifar, 2).trained);
  expect(half.teacher - single.teacher).toBe(2 * (teacher.trained + teacher.positions));
  const pixels = 4 * 8 * 7 * 3072;
  expect((half.activations - pixels) / (single.activations - pixels)).toBeCloseTo((3 * 4 + 13 * 2) / (16 * 4), 12);
});
