import { expect, test } from 'vitest';
import { formatBytes } from '../common/format';
import { estimateMemory, stepShape } from '../imae/train/accounting';
import { resolveConfig } from '../imae/config/config';
import { describeRun } from './dryRun';

const describeValues = (values: unknown, images?: number, free = Infinity): string =>
  describeRun(resolveConfig([{ source: 'test.json', values }]), images, free);

test('shows each phase with its parameters, arithmetic, memory and steps', () => {
  const text = describeValues({ preset: 'cifar', model: { patch: 4 } }, 50_000);
  expect(text).toContain('64 patches, 16 visible and 48 hidden');
  const [, teacher = '', imae = ''] = text.split('\n\n');
  expect(teacher).toContain('78000 steps, 7800 of them warm-up, at a peak learning rate of 1.5e-4');
  // Half of the 1.215 TFLOP that PyTorch's formula gives for a batch of 512.
  expect(imae).toContain('608 GFLOP a step');
  expect(imae).toContain('two-way');
  expect(imae).toContain('7.21 M trained');
  expect(imae).toContain('an estimate');
});

test('without a known image set, epochs stay epochs and steps are steps', () => {
  expect(describeValues({ preset: 'cifar' })).toContain('400 epochs');
  expect(describeValues({ training: { budget: { steps: 600 } } })).toContain('600 steps at a peak');
});

test('names micro-batches, and a frozen teacher only where there is distillation', () => {
  expect(describeValues({ preset: 'vit-b' })).toContain('batch 1024 in 16 micro-batches of 64');
  expect(describeValues({})).toContain('frozen');
  expect(describeValues({ imae: { lambda: 0 } })).not.toContain('frozen');
});

test('says what blocks that are computed twice would save, and where they do', () => {
  const config = { preset: 'vit-b', training: { batch: 64, accumulate: 1 } };
  const shape = stepShape(resolveConfig([{ source: 'test', values: config }]), 'imae');
  const total = (recompute: boolean): string => formatBytes(estimateMemory({ ...shape, recompute }, 0).total);
  const kept = describeValues(config);
  expect(kept).toContain(`about ${total(false)} (an estimate)`);
  expect(kept).toContain(`with --recompute blocks about ${total(true)}`);
  const again = describeValues({ ...config, training: { ...config.training, recompute: 'blocks' } });
  expect(again).toContain(`about ${total(true)} (an estimate)`);
  expect(again).toContain('with blocks computed twice');
  expect(again).not.toContain('--recompute');
});

test('says where a software adapter would have too little memory, and that a trial is all warm-up', () => {
  expect(describeValues({}, 1000, 2 ** 20)).toContain('more than the 1 MiB that are free here');
  expect(describeValues({}, 1000)).not.toContain('more than the');
  expect(describeValues({ training: { budget: { steps: 9 } } }, 1000)).toContain('9 steps, all of them warm-up');
});
