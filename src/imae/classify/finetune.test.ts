import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine';
import { readSafetensors, tensorFloat32, type StoredTensor } from '../../formats/safetensors';
import { testEngine } from '../../testing/testEngine';
import {
  Classifier,
  FINETUNE_DEFAULTS,
  layerScale,
  runFinetune,
  type Finetuned,
  type FinetuneRun,
  type FinetuneSettings,
} from './finetune';
import type { NamedFile } from '../checkpoint/namedFile';
import { COLOURED, Points, shuffledLabels, untrainedModel } from '../../testing/pointClassifier';

const SETTINGS: FinetuneSettings = {
  ...FINETUNE_DEFAULTS,
  epochs: 5,
  warmupEpochs: 1,
  batch: 12,
  blr: 0.1,
  crop: [0.5, 1],
  seed: 1,
};

describe('fine-tuning', () => {
  let engine: Engine;
  let model: NamedFile;
  beforeAll(async () => {
    engine = await testEngine();
    model = await untrainedModel(engine);
  });
  afterAll(() => {
    expect(engine.pool.liveBuffers).toBe(0);
    engine.dispose();
  });

  const run = (settings: Partial<FinetuneSettings> = {}, options: Partial<FinetuneRun> = {}): Promise<Finetuned> =>
    runFinetune(engine, {
      model,
      from: 'trained',
      data: COLOURED,
      watcher: new Points(),
      ...options,
      settings: { ...SETTINGS, ...settings },
    });

  it.each(['mean', 'class'] as const)('learns what is separable, with all of the recipe: %s', async (pool) => {
    const { top1, curve, classifier } = await run({ pool });
    expect(top1).toBe(1);
    expect(curve).toHaveLength(5);
    const { tensors } = readSafetensors(classifier);
    const norms = [...tensors.keys()].filter((name) => /^(fc_)?norm\./.test(name));
    expect(norms.sort()).toEqual(pool === 'mean' ? ['fc_norm.bias', 'fc_norm.weight'] : ['norm.bias', 'norm.weight']);
    expect(tensors.get('head.weight')?.shape).toEqual([3, 16]);
    // Positions are trained too.
    const before = model.file.tensors.get('pos_embed');
    const after = tensors.get('pos_embed');
    expect(after && tensorFloat32(after)).not.toEqual(before && tensorFloat32(before));
  });

  it('begins from the weights of the file, or from others', async () => {
    const off = { epochs: 1, warmupEpochs: 0, blr: 1e-12 } as const;
    const name = 'blocks.0.mlp.fc1.weight';
    const file = model.file.tensors.get(name);
    const start = file && tensorFloat32(file);
    const distance = ({ classifier }: Finetuned): number =>
      Math.max(
        ...tensorFloat32(readSafetensors(classifier).tensors.get(name) as StoredTensor).map((value, i) =>
          Math.abs(value - (start?.[i] ?? 0)),
        ),
      );
    expect(distance(await run(off))).toBeLessThan(1e-6);
    expect(distance(await run(off, { from: 'random' }))).toBeGreaterThan(0.01);
  });

  it('gives the same bits for the same seed, and others for another', async () => {
    const losses = async (seed: number): Promise<readonly number[]> =>
      (await run({ epochs: 2, seed })).curve.map(({ loss }) => loss);
    const first = await losses(1);
    expect(await losses(1)).toEqual(first);
    expect(await losses(2)).not.toEqual(first);
  });

  it('learns from other images without RandAugment', async () => {
    const loss = async (randAugment: boolean): Promise<number | undefined> =>
      (await run({ epochs: 1, warmupEpochs: 0, randAugment })).curve[0]?.loss;
    expect(await loss(false)).not.toBe(await loss(true));
  });

  it('is at chance where labels mean nothing', async () => {
    const { top1 } = await run({ epochs: 2 }, { data: shuffledLabels(COLOURED) });
    // Three deviations of 33 images' share by chance.
    expect(Math.abs(top1 - 1 / 3)).toBeLessThan(0.25);
  });

  it('says when the learning rate is too high', async () => {
    await expect(run({ epochs: 2, blr: 1e30 })).rejects.toThrow('Give a smaller --blr');
  });
});

describe('layer decay', () => {
  it('gives each parameter the published scale', () => {
    const names = [
      ...['cls_token', 'pos_embed', 'patch_embed.proj.weight', 'patch_embed.proj.bias', 'blocks.0.norm1.weight'],
      ...['blocks.1.mlp.fc2.bias', 'blocks.11.attn.qkv.weight', 'norm.weight', 'fc_norm.bias', 'head.weight'],
    ];
    const powers = names.map((name) => Math.log(layerScale(name, 12, 0.65)) / Math.log(0.65));
    expect(powers.map((power) => Math.round(power * 1e6) / 1e6 + 0)).toEqual([13, 13, 13, 13, 12, 11, 1, 0, 0, 0]);
  });

  it('covers every parameter of a classifier, all of them trained', () => {
    const size = {
      image: 8,
      channels: 3,
      patch: 4,
      dim: 8,
      depth: 2,
      heads: 2,
      decoderDim: 8,
      decoderDepth: 1,
      decoderHeads: 1,
    };
    const specs = new Classifier(size, 'mean', 5).namedParameters();
    expect(specs.every(({ parameter }) => parameter.trained)).toBe(true);
    expect(specs.filter(({ name }) => /^(mask_token|decoder_|norm\.)/.test(name))).toEqual([]);
    expect(specs.slice(-4).map(({ name }) => name)).toEqual([
      'fc_norm.weight',
      'fc_norm.bias',
      'head.weight',
      'head.bias',
    ]);
  });
});
