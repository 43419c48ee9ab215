import { describe, expect, test } from 'vitest';
import { UserError } from '../../common/userError';
import {
  distillationWeights,
  phasesOf,
  planPhase,
  resolveConfig,
  studentSize,
  teacherSize,
  visiblePatches,
  type Config,
} from './config';
import { OPTION_LIST } from './options';
import { PRESET_NAMES, PRESETS } from './presets';

function resolve(...values: unknown[]): Config {
  return resolveConfig(values.map((value) => ({ source: 'test.json', values: value })));
}

/** The message with which these values are refused. */
function refusal(...values: unknown[]): string {
  try {
    resolve(...values);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).exitCode).toBe(2);
    return (error as UserError).message;
  }
  throw new Error(`${JSON.stringify(values)} was accepted`);
}

describe('resolving', () => {
  test.each(PRESET_NAMES)('preset %s is complete, and its JSON gives the same configuration', (preset) => {
    const config = resolve({ preset });
    for (const { section, key } of OPTION_LIST) expect(config[section]).toHaveProperty(key);
    expect(resolve(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });

  test("a run's configuration that lacks what was added since stays at its defaults, whatever its preset says now", () => {
    const { optimizer, schedule, ...rest } = JSON.parse(JSON.stringify(resolve({ preset: 'demo' }))) as Config;
    expect(optimizer.muon).toBeGreaterThan(0);
    // As JSON leaves out what is undefined, so does this.
    const olderOptimizer = JSON.parse(JSON.stringify({ ...optimizer, muon: undefined })) as object;
    const olderSchedule = JSON.parse(JSON.stringify({ ...schedule, decay: undefined })) as object;
    const older = { ...rest, optimizer: olderOptimizer, schedule: olderSchedule };
    expect(resolve(older)).toMatchObject({ optimizer: { muon: 0 }, schedule: { decay: 'cosine' } });
    // What someone writes by hand says less.
    expect(resolve({ preset: 'demo', model: rest.model, optimizer: olderOptimizer }).optimizer.muon).toBe(
      optimizer.muon,
    );
  });

  test('the presets carry the published sizes', () => {
    const published = PRESET_NAMES.filter((preset) => preset !== 'demo');
    const sizes = published.map((preset) => {
      const { model } = resolve({ preset });
      const encoder = `${model.image}/${model.patch} ${model.dim}-${model.depth}-${model.heads}`;
      return `${encoder} ${model.decoderDim}-${model.decoderDepth}-${model.decoderHeads}`;
    });
    expect(sizes).toEqual(['32/2 192-12-3 192-4-3', '64/8 384-12-6 192-6-6', '224/16 768-12-12 512-8-16']);
  });

  test.each(PRESET_NAMES)("preset %s has the sizes that the help's line about it tells", (preset) => {
    const { model } = resolve({ preset });
    const told = PRESETS[preset].about;
    expect(told).toContain(`${model.image} px`);
    expect(told).toMatch(new RegExp(`ViT\\S* ${model.dim}-${model.depth}-${model.heads},`));
    expect(told).toContain(`decoder ${model.decoderDim}-${model.decoderDepth}-${model.decoderHeads},`);
    expect(told).toMatch(new RegExp(`patch ${model.patch}\\b`));
  });

  test('a later layer wins, the rest of its section stays', () => {
    const config = resolve({ preset: 'cifar', model: { patch: 4 } }, { model: { dim: 96 } }, { model: { patch: 8 } });
    expect(config.model).toMatchObject({ patch: 8, dim: 96, depth: 12 });
  });

  test('a form of a value takes the place of another form', () => {
    expect(resolve({ preset: 'cifar', training: { budget: { steps: 5 } } }).training.budget).toEqual({ steps: 5 });
  });

  test('the result is frozen all through', () => {
    const config = resolve();
    expect(Object.isFrozen(config.model) && Object.isFrozen(config.optimizer.betas)).toBe(true);
  });
});

describe('refused, with the setting named and the way out told', () => {
  test.each<[unknown, ...string[]]>([
    [{ model: { dims: 64 } }, '"model.dims"', 'Did you mean "model.dim"?'],
    [{ modle: {} }, '"modle"', 'Did you mean "model"?'],
    [{ model: { weightDecay: 0 } }, '"model.weightDecay"', '"optimizer.weightDecay"'],
    [{ teacher: { patch: 4 } }, '"teacher.patch"', 'always the student\'s "model.patch"'],
    [{ model: 3 }, '"model" is 3'],
    [[], 'an object'],
    [{ preset: 'cifr' }, '"cifr"', 'Did you mean cifar?'],
    [{ model: { dim: 66 } }, '--dim (model.dim)', '66', 'a multiple of 4'],
    [{ model: { dim: 64, heads: 5 } }, '--heads (model.heads)', '5 heads', 'divisor of 64'],
    [{ model: { decoderDim: 48, decoderHeads: 5 } }, '--decoder-heads', 'divisor of 48'],
    [{ model: { dim: 64 }, teacher: { heads: 3 }, imae: { start: 'scratch' } }, '--teacher-heads', 'divisor of 64'],
    [{ model: { image: 32, patch: 5 } }, '--patch (model.patch)', 'divisor of 32'],
    [{ model: { image: 32, patch: 4 }, masking: { maskRatio: 0.99 } }, '--mask-ratio', '0 of 64'],
    [{ model: { image: 32, patch: 4 }, masking: { maskRatio: 1e-20 } }, '--mask-ratio', '64 of 64'],
    [{ masking: { alpha: 1.5 } }, '--alpha (masking.alpha)', 'beta(A,B)'],
    [{ training: { batch: 64, accumulate: 5 } }, '--accumulate', '64 images', '--batch'],
    [{ training: { budget: { steps: 0 } } }, '--steps or --epochs (training.budget)', '"steps": a whole number from 1'],
    [{ optimizer: { learningRate: { lr: 0.003 } }, schedule: { minLr: 1 } }, '--min-lr', '0.003'],
    [{ imae: { branches: 'subordinate', lambdaDominant: 1 } }, '--lambda-dominant', 'two-way'],
    [{ model: { dim: 64 }, teacher: { dim: 128 } }, '--start (imae.start)', 'dim: 128', '--start scratch'],
    [{ training: { mode: 'imae' } }, '--only (training.mode)', '--teacher FILE'],
    [{ training: { mode: 'mae' }, teacher: { checkpoint: 'a' } }, '--teacher (teacher.checkpoint)', '--only imae'],
    [{ model: { channels: 1 }, data: { statistics: 'imagenet' } }, '--statistics', 'own'],
  ])('%j', (values, ...parts) => {
    const message = refusal(values);
    for (const part of parts) expect(message).toContain(part);
  });
});

describe('what follows from a configuration', () => {
  test('the teacher is as the student but for what is said', () => {
    const config = resolve({ teacher: { dim: 128, decoderDepth: 2 }, imae: { start: 'scratch' } });
    expect(teacherSize(config)).toEqual({ ...studentSize(config), dim: 128, decoderDepth: 2 });
  });

  test.each([
    [32, 4, 0.75, 16],
    [224, 16, 0.75, 49],
    [15, 5, 0.75, 2],
    // 1 − 0.9 is 0.09999999999999998 in doubles: Python's int(100·(1 − 0.9)) is 9.
    [20, 2, 0.9, 9],
  ])('%i px in patches of %i, ratio %f: %i visible', (image, patch, ratio, visible) => {
    expect(visiblePatches({ image, patch }, ratio)).toBe(visible);
  });

  test('phases', () => {
    expect(phasesOf(resolve())).toEqual(['teacher', 'imae']);
    expect(phasesOf(resolve({ imae: { lambda: 0 } }))).toEqual(['teacher', 'imae']);
    expect(phasesOf(resolve({ imae: { lambda: 0, start: 'scratch' } }))).toEqual(['imae']);
    const onlyDominant = { lambda: 0, lambdaDominant: 1, start: 'scratch' };
    expect(phasesOf(resolve({ imae: onlyDominant }))).toEqual(['teacher', 'imae']);
    expect(phasesOf(resolve({ training: { mode: 'mae' } }))).toEqual(['mae']);
    expect(phasesOf(resolve({ training: { mode: 'lcmae' } }))).toEqual(['lcmae']);
    expect(phasesOf(resolve({ imae: { lambda: 0, start: 'scratch' }, masking: { mask: 'attention' } }))).toEqual([
      'teacher',
      'imae',
    ]);
    expect(phasesOf(resolve({ teacher: { checkpoint: 'a.safetensors' } }))).toEqual(['imae']);
  });

  test('weights of the distillation', () => {
    expect(distillationWeights(resolve({ imae: { lambda: 0.5 } }))).toEqual({ subordinate: 0.5, dominant: 0.5 });
    expect(distillationWeights(resolve({ imae: { lambdaDominant: 2 } }))).toEqual({ subordinate: 1, dominant: 2 });
    const oneBranch = resolve({ imae: { branches: 'subordinate' } });
    expect(distillationWeights(oneBranch)).toEqual({ subordinate: 1, dominant: 0 });
  });

  test('plans in epochs count whole batches, blr is scaled by the batch', () => {
    const config = resolve({ preset: 'cifar' });
    // 50,000 images are 195 batches of 256.
    const teacher = planPhase(config, 'teacher', 50_000);
    expect(teacher).toEqual({ steps: 78_000, warmupSteps: 7800, peakLearningRate: 1.5e-4 });
    expect(planPhase(config, 'imae', 50_000)).toEqual({ steps: 9750, warmupSteps: 975, peakLearningRate: 1e-4 });
    const larger = resolve({ preset: 'cifar', training: { batch: 512, accumulate: 4 } });
    expect(planPhase(larger, 'imae', 50_000).peakLearningRate).toBe(2e-4);
  });

  test('the baseline is trained as long as teacher and i-MAE together', () => {
    const settings = { teacher: { budget: { steps: 200 } }, training: { mode: 'mae', budget: { steps: 600 } } };
    expect(planPhase(resolve(settings), 'mae', 4096).steps).toBe(800);
    expect(planPhase(resolve(settings), 'lcmae', 4096)).toEqual(planPhase(resolve(settings), 'mae', 4096));
    expect(planPhase(resolve(settings, { imae: { start: 'scratch', lambda: 0 } }), 'mae', 4096).steps).toBe(600);
  });

  test('a set smaller than a batch is refused', () => {
    expect(() => planPhase(resolve({ training: { batch: 64 } }), 'imae', 63)).toThrow(/63 images.*--batch 63/);
  });
});
