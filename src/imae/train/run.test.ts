import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadImage } from '@napi-rs/canvas';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  readSafetensors,
  storedTensor,
  tensorFloat32,
  writeSafetensors,
  type StoredTensor,
} from '../../formats/safetensors';
import { UserError } from '../../common/userError';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { spawnTrain } from '../../testing/spawnTrain';
import { studentSize } from '../config/config';
import { maeParameters } from '../model/mae';
import type { PartialSettings } from '../config/options';
import { MemoryStore, named, TINY, tinyConfig, tinyRun } from '../../testing/tinyRun';

const PAIR_PARTS = ['pixelSubordinate', 'pixelDominant', 'distillSubordinate', 'distillDominant'];

/** Whether a checkpoint holds numbers only. */
function hasNumbersOnly(bytes: Uint8Array): boolean {
  return [...readSafetensors(bytes).tensors.values()].every((tensor) => tensorFloat32(tensor).every(Number.isFinite));
}

/** A checkpoint with one tensor replaced. */
function withTensor(bytes: Uint8Array, name: string, change: (tensor: StoredTensor) => StoredTensor): Uint8Array {
  const { tensors, metadata } = readSafetensors(bytes);
  tensors.set(name, change(tensors.get(name) as StoredTensor));
  return writeSafetensors(tensors, metadata);
}

describe('a run', () => {
  let engine: Engine;
  /** A trained teacher's checkpoint. */
  let teacher: Uint8Array;
  beforeAll(async () => {
    engine = await testEngine();
    const { store } = await tinyRun(engine, tinyConfig({ training: { mode: 'teacher' } }));
    teacher = store.checkpoints.at(-1)?.model ?? new Uint8Array();
  });
  afterEach(() => {
    const left = engine.pool.liveBuffers;
    engine.pool.dispose();
    expect(left).toBe(0);
  });
  afterAll(() => {
    engine.dispose();
  });

  it('trains teacher and i-MAE, and leaves metrics, scores, checkpoints and pictures when they are due', async () => {
    const { store, steps, result } = await tinyRun(engine, tinyConfig({ logging: { panelsEvery: 3 } }));
    expect(steps.map(({ lr }) => lr)[0]).toBe(0);
    expect(store.lines.map((line) => `${line.phase} ${line.step}${'unmixing' in line ? ' score' : ''}`)).toEqual([
      'teacher 0',
      'teacher 1',
      'teacher 2',
      'imae 0',
      'imae 1',
      'imae 2 score',
      'imae 2',
      'imae 3',
      'imae 4 score',
    ]);
    expect(store.checkpoints.map(({ phase, step }) => `${phase} ${step}`)).toEqual([
      'teacher 2',
      'teacher 3',
      'imae 2',
      'imae 4',
    ]);
    expect([...store.sheets.keys()]).toEqual(['teacher-000003', 'imae-000003', 'imae-000004']);
    expect(result).toEqual({ score: store.lines.at(-1)?.['unmixing'] });
  });

  it('the student starts from the teacher, and at learning rate 0 it stays as it is', async () => {
    const { store } = await tinyRun(
      engine,
      tinyConfig({ training: { mode: 'imae' }, teacher: { checkpoint: 't' }, optimizer: { learningRate: { lr: 0 } } }),
      {
        teacher: named('t', teacher),
      },
    );
    const from = readSafetensors(teacher).tensors;
    const { tensors } = readSafetensors(store.checkpoints.at(-1)?.model ?? teacher);
    expect(tensors.has('decoder_embed2.bias')).toBe(true);
    // Each branch is the teacher's decoder_embed; without a learning rate there is no decay either.
    for (const [name, tensor] of tensors) {
      expect(tensor, name).toEqual(from.get(name.replace(/decoder_embed[12]/, 'decoder_embed')));
    }
  });

  const scratch = { start: 'scratch' } as const;
  it.each<[string, PartialSettings, string[]]>([
    ['--only teacher', { training: { mode: 'teacher' } }, ['pixel']],
    ['--only mae', { training: { mode: 'mae' } }, ['pixel']],
    ['--only imae --teacher', { teacher: { checkpoint: 't' } }, PAIR_PARTS],
    ['--branches subordinate', { imae: { branches: 'subordinate' } }, ['pixelSubordinate', 'distillSubordinate']],
    ['--norm-pix', { model: { normPix: true } }, PAIR_PARTS],
    ['--lambda 0 --start scratch', { imae: { lambda: 0, ...scratch } }, PAIR_PARTS.slice(0, 2)],
    ['--lambda 0, from a teacher', { imae: { lambda: 0 } }, PAIR_PARTS],
    ['--lambda-dominant 0', { imae: { lambdaDominant: 0 } }, PAIR_PARTS],
    [
      'a wider, deeper teacher',
      { teacher: { dim: 24, depth: 2, heads: 3, decoderDepth: 2 }, imae: scratch },
      PAIR_PARTS,
    ],
    ['--same-prob 0.5', { masking: { sameProb: 0.5 } }, PAIR_PARTS],
    ['--accumulate 2', { training: { accumulate: 2 } }, PAIR_PARTS],
    ['--accumulate 8, a sample each', { training: { accumulate: 8 } }, PAIR_PARTS],
    ['--crop 0.2,1 --flip', { data: { crop: [0.2, 1], flip: true } }, PAIR_PARTS],
    ['--statistics imagenet', { data: { statistics: 'imagenet' } }, PAIR_PARTS],
    ['--alpha 0.35', { masking: { alpha: { law: 'fixed', value: 0.35 } } }, PAIR_PARTS],
    ['--alpha 0', { masking: { alpha: { law: 'fixed', value: 0 } } }, PAIR_PARTS],
    ['--alpha 1', { masking: { alpha: { law: 'fixed', value: 1 } } }, PAIR_PARTS],
    ['--alpha beta(1,1) per batch', { masking: { alpha: { law: 'beta', a: 1, b: 1 }, alphaPer: 'batch' } }, PAIR_PARTS],
    [
      '--alpha uniform(0,1) per sample',
      { masking: { alpha: { law: 'uniform', low: 0, high: 1 }, alphaPer: 'sample' } },
      PAIR_PARTS,
    ],
    ['--mask-ratio 0.94, one patch visible', { masking: { maskRatio: 0.93 } }, PAIR_PARTS],
    ['--clip-norm 0.1', { optimizer: { clipNorm: 0.1 } }, PAIR_PARTS],
    ['--patch 2', { model: { patch: 2 } }, PAIR_PARTS],
    ['--batch 1', { training: { batch: 1 } }, PAIR_PARTS],
  ])('%s trains', async (_, settings, parts) => {
    const config = tinyConfig({
      ...settings,
      training: { budget: { steps: 2 }, ...settings.training },
      teacher: { budget: { steps: 1 }, ...settings.teacher },
      logging: { scoreEvery: 0, checkpointEvery: 0 },
    });
    const given = config.teacher.checkpoint === null ? {} : { teacher: named('t', teacher) };
    const { store, steps, result } = await tinyRun(engine, config, given);
    const { mode } = config.training;
    const phase = mode === 'all' ? 'imae' : mode;
    expect(store.checkpoints.at(-1)).toMatchObject({ phase, step: 1 + (steps.at(-1)?.step ?? NaN) });
    expect(store.checkpoints.every(({ model, state }) => hasNumbersOnly(model) && hasNumbersOnly(state))).toBe(true);
    expect(Object.keys(steps.at(-1)?.parts ?? {})).toEqual(parts);
    expect(steps.every(({ loss }) => loss > 0 && Number.isFinite(loss))).toBe(true);
    expect(result.score === undefined).toBe(phase !== 'imae');
    expect(result.score?.dominant === undefined).toBe(config.imae.branches === 'subordinate' || phase !== 'imae');
  });

  describe('that is not finite stops', () => {
    it('names phase, step and part; no checkpoint is written after it', async () => {
      const store = new MemoryStore();
      const config = tinyConfig({
        training: { mode: 'mae', budget: { steps: 20 } },
        teacher: { learningRate: { lr: 1e18 } },
        logging: { checkpointEvery: 1 },
      });
      const refusal = tinyRun(engine, config, { store });
      await expect(refusal).rejects.toBeInstanceOf(UserError);
      const { message } = (await refusal.catch((error: unknown) => error)) as UserError;
      const [, at, last] =
        /^Phase mae, step (\d+): (?:pixel|loss|gradNorm) is (?:NaN|Infinity); .* checkpoint is mae-(\d+)\./.exec(
          message,
        ) ?? [];
      expect(Number(at)).toBeGreaterThanOrEqual(Number(last));
      expect(store.checkpoints.at(-1)?.step).toBe(Number(last));
      expect(store.checkpoints.every(({ model, state }) => hasNumbersOnly(model) && hasNumbersOnly(state))).toBe(true);
    });

    it.each([
      [
        'a weight that overflows: there is no good checkpoint yet',
        3e38,
        /Phase imae, step 0: pixelSubordinate is NaN.*There is no checkpoint yet/,
      ],
      [
        'a weight that is not finite: the file is refused',
        Infinity,
        /^t has values in 'blocks\.0\.attn\.proj\.bias' that are no finite numbers/,
      ],
    ])('%s', async (_, value, message) => {
      const broken = withTensor(teacher, 'blocks.0.attn.proj.bias', ({ shape }) =>
        storedTensor(shape, new Float32Array(16).fill(value)),
      );
      const store = new MemoryStore();
      const refusal = tinyRun(engine, tinyConfig({ teacher: { checkpoint: 't' } }), {
        store,
        teacher: named('t', broken),
      });
      await expect(refusal).rejects.toThrow(message);
      expect(store).toMatchObject({ checkpoints: [], lines: [] });
    });

    it('an update that is not finite, though its loss was: its checkpoint is not written', async () => {
      const store = new MemoryStore();
      const config = tinyConfig({
        training: { mode: 'mae', budget: { steps: 3 } },
        teacher: { learningRate: { lr: 1e39 }, warmup: { steps: 0 } },
        logging: { checkpointEvery: 1 },
      });
      await expect(tinyRun(engine, config, { store })).rejects.toThrow(
        /Phase mae, step 0: its update of \S+ is not finite; .*There is no checkpoint yet/,
      );
      expect(store.checkpoints).toEqual([]);
    });
  });

  describe('with a teacher that does not fit', () => {
    it.each<[string, () => Uint8Array, RegExp]>([
      [
        'of another shape',
        () => withTensor(teacher, 'norm.weight', () => storedTensor([1], Float32Array.of(1))),
        /t: 'norm\.weight' is \[1\], the model wants \[16\]/,
      ],
      [
        'of a two-way model',
        () => {
          const { tensors } = readSafetensors(teacher);
          tensors.delete('decoder_embed.weight');
          return writeSafetensors(tensors);
        },
        /t has no tensor 'decoder_embed\.weight'/,
      ],
    ])('%s is refused', async (_, make, message) => {
      await expect(
        tinyRun(engine, tinyConfig({ teacher: { checkpoint: 't' } }), { teacher: named('t', make()) }),
      ).rejects.toThrow(message);
    });
  });
});

describe('node train.js', () => {
  const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
  const folder = join(base, 'run');
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(base, name), content);
    return join(base, name);
  };
  const config = file('config.json', JSON.stringify(TINY));
  afterAll(() => rmSync(base, { recursive: true }));

  it('leaves a run folder, and ends by itself', async () => {
    const { code, out, err } = await spawnTrain(['--config', config, '--out', folder]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^adapter +\S/m);
    expect(out).toMatch(/unmixing score subordinate -?\d\.\d\d/);
    expect(out).toMatch(/^ +dominant( +-?\d\.\d+){5}$/m);
    expect(readdirSync(folder).sort()).toEqual([
      'checkpoints',
      'config.json',
      'kernels.json',
      'metrics.jsonl',
      'panels',
      'report.html',
      'sessions.jsonl',
    ]);
    expect(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))).toEqual(tinyConfig());

    const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const steps = lines.filter((line) => !('unmixing' in line));
    expect(steps.map(({ phase, step }) => `${phase as string} ${step as number}`)).toEqual([
      'teacher 0',
      'teacher 1',
      'teacher 2',
      'imae 0',
      'imae 1',
      'imae 2',
      'imae 3',
    ]);
    for (const line of steps) {
      const parts = line['phase'] === 'imae' ? PAIR_PARTS : ['pixel'];
      const pairs = line['phase'] === 'imae' ? ['sameClass'] : [];
      expect(Object.keys(line)).toEqual([
        'phase',
        'step',
        'loss',
        ...parts,
        ...pairs,
        'lr',
        'gradNorm',
        'imagesPerSecond',
      ]);
      for (const name of ['loss', ...parts, 'gradNorm', 'imagesPerSecond']) expect(line[name], name).toBeGreaterThan(0);
      const sum = parts.reduce((total, part) => total + (line[part] as number), 0);
      expect(Math.abs(sum / (line['loss'] as number) - 1)).toBeLessThan(1e-6);
    }
    const score = {
      own: expect.any(Number) as number,
      other: expect.any(Number) as number,
      mean: expect.any(Number) as number,
      mixture: expect.any(Number) as number,
      score: expect.any(Number) as number,
    };
    expect(lines.filter((line) => 'unmixing' in line)).toEqual(
      [2, 4].map((step) => ({
        phase: 'imae',
        step,
        unmixing: { subordinate: score, dominant: score, takenApart: expect.any(Boolean) as boolean },
      })),
    );
  });

  it('with checkpoints and pictures of each phase in it', async () => {
    for (const [phase, step, branches] of [
      ['teacher', 3, 1],
      ['imae', 2, 2],
      ['imae', 4, 2],
    ] as const) {
      const { tensors, metadata } = readSafetensors(
        readFileSync(join(folder, `checkpoints/${phase}-${step}.safetensors`)),
      );
      const specs = maeParameters(studentSize(tinyConfig()), branches);
      expect([...tensors].map(([name, { shape }]) => `${name} ${shape.join()}`).sort()).toEqual(
        specs.map(({ name, shape }) => `${name} ${shape.join()}`).sort(),
      );
      expect(tensors.has('decoder_embed2.weight')).toBe(branches === 2);
      expect(metadata).toMatchObject({ phase, step: String(step) });
    }
    const panels = readdirSync(join(folder, 'panels')).sort();
    expect(panels).toEqual(['imae-000004.png', 'teacher-000003.png']);
    for (const name of panels) {
      const { width, height } = await loadImage(readFileSync(join(folder, 'panels', name)));
      expect(Math.min(width, height)).toBeGreaterThan(100);
    }
  });

  it('a loss that is not finite ends with code 1 and one message', { tags: ['thorough'] }, async () => {
    const { code, err } = await spawnTrain([
      '--config',
      config,
      '--out',
      join(base, 'broken'),
      '--only',
      'mae',
      '--teacher-lr',
      '1e30',
      '--steps',
      '9',
    ]);
    expect(code).toBe(1);
    expect(err.trimEnd().split('\n')).toEqual([
      expect.stringMatching(
        /^Phase mae, step \d+: \w+ is (NaN|Infinity); the run stops\. The last good checkpoint is \S+/,
      ),
    ]);
  });
});
