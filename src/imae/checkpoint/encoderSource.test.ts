import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../formats/byteSource';
import {
  readSafetensors,
  storedTensor,
  tensorFloat32,
  type Safetensors,
  type StoredTensor,
} from '../../formats/safetensors';
import { readTensorFile } from '../../formats/tensorFile';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { Parameters } from '../../nn/parameters';
import { Graph } from '../../tensor/graph';
import { assertTeacherFits } from './checkpoint';
import type { ModelSize } from '../config/config';
import { readEncoder } from './encoderSource';
import { exportModel } from './exportModel';
import { describeLoad } from './loadReport';
import { maeParameters, VisionTransformer, type Branches } from '../model/mae';
import { describeModel } from './modelFile';
import { IMAGENET } from '../model/normalisation';
import type { NamedFile } from './namedFile';
import { tinyConfig, tinyRun } from '../../testing/tinyRun';

/*
 * mae.pth was saved by PyTorch 1.13 in its older format: `{model, epoch, args}` of a masked autoencoder of the published
 * structure, 8 × 8 pixels, patch 2, encoder 8-1-2, decoder 4-1-1, every parameter random. The figures below are
 * PyTorch's.
 */
const bytes = new Uint8Array(readFileSync(new URL('testFiles/mae.pth', import.meta.url)));
const PUBLISHED: NamedFile = { name: 'mae.pth', file: readTensorFile(memorySource(bytes), 'mae.pth') };
const HEADS = { heads: 2, decoderHeads: 1 };
const SIZE: ModelSize = {
  image: 8,
  channels: 3,
  patch: 2,
  dim: 8,
  depth: 1,
  heads: 2,
  decoderDim: 4,
  decoderDepth: 1,
  decoderHeads: 1,
};

/** The tensors of a file, some left out, others put in. */
const changed = (
  { tensors, metadata }: Safetensors,
  without: RegExp,
  also: Readonly<Record<string, StoredTensor>> = {},
): NamedFile => ({
  name: 'x',
  file: {
    tensors: new Map([...[...tensors].filter(([name]) => !without.test(name)), ...Object.entries(also)]),
    metadata,
  },
});
const filled = (...shape: number[]): StoredTensor =>
  storedTensor(shape, new Float32Array(shape.reduce((product, side) => product * side, 1)).fill(0.5));

/** A file of a size, as one that PyTorch saved: without metadata. */
function published(size: Partial<ModelSize>, branches: Branches = 1): NamedFile {
  const specs = maeParameters({ ...SIZE, ...size }, branches);
  return {
    name: 'p',
    file: { tensors: new Map(specs.map(({ name, shape }) => [name, filled(...shape)])), metadata: {} },
  };
}

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.dispose());

describe('the encoder of a published file', () => {
  /** Features of an image whose byte i is 37·i mod 256. */
  async function features(
    file: NamedFile,
    { frozen = true, ...overrides }: { readonly image?: number; readonly frozen?: boolean },
  ): Promise<Float32Array> {
    const { size, normalisation, values: valuesOf } = readEncoder(file, { heads: 2, ...overrides });
    const net = new VisionTransformer(size);
    const parameters = new Parameters(engine, file.name, net, { frozen });
    for (const [name, { shape }] of parameters.entries) parameters.write(name, valuesOf(name, shape));
    const { mean, std } = normalisation;
    const plane = size.image ** 2;
    const pixels = Float32Array.from({ length: 3 * plane }, (_, i) => {
      const channel = Math.floor(i / plane);
      return (((i * 37) % 256) / 255 - (mean[channel] as number)) / (std[channel] as number);
    });
    const graph = new Graph(engine);
    const latent = net.forward(graph.input('x', [1, 3, size.image, size.image], 'f32', pixels));
    graph.output(latent);
    const program = await graph.compile();
    program.run();
    const values = await program.read(latent);
    program.dispose();
    parameters.dispose();
    return values;
  }
  const expectRow = (values: Float32Array, row: number, expected: readonly number[]): void => {
    // Sums of up to 32 terms in f32, in another order than PyTorch's: 1e-6 each, figures given to 6 places.
    for (const [i, value] of expected.entries()) expect(values[row * 8 + i]).toBeCloseTo(value, 5);
  };

  it('gives PyTorch’s features', async () => {
    const values = await features(PUBLISHED, {});
    expectRow(values, 0, [-0.137245, -0.300305, -0.580004, 0.808585, -0.747391, -0.032368, -0.575086, 0.116358]);
    expectRow(values, 16, [-0.089722, -0.253228, -0.511132, -0.694923, 0.10552, 0.022889, -0.473401, 0.234723]);
  });

  it('also of images of another size, by interpolated positions', async () => {
    const values = await features(PUBLISHED, { image: 12 });
    expectRow(values, 0, [-0.132084, -0.305123, -0.580036, 0.784764, -0.772412, -0.029287, -0.562002, 0.124144]);
    expectRow(values, 36, [-0.136512, -0.245078, -0.517784, -0.74593, 0.320105, 0.017616, -0.507785, 0.161626]);
  });

  it('also alone, to be trained, and of an i-MAE with two branches', async () => {
    const first = await features(PUBLISHED, {});
    expect(await features(changed(PUBLISHED.file, /^(decoder_|mask_token)/), { frozen: false })).toEqual(first);
    expect(
      await features(
        changed(PUBLISHED.file, /^decoder_embed/, {
          'decoder_embed1.weight': filled(4, 8),
          'decoder_embed2.weight': filled(4, 8),
        }),
        {},
      ),
    ).toEqual(first);
  });

  it('tells what was used, interpolated, missing and left over', () => {
    const { report, size, normalisation, assumed } = readEncoder(PUBLISHED, { heads: 2, image: 12 });
    expect(size).toEqual({ image: 12, channels: 3, patch: 2, dim: 8, depth: 1, heads: 2 });
    expect(normalisation).toEqual(IMAGENET);
    expect(assumed).toEqual(["ImageNet's mean and deviation"]);
    expect(describeLoad(report)).toBe(
      '18 tensors used; pos_embed interpolated from 4 × 4 to 6 × 6 patches; ' +
        'left over: mask_token, decoder_pos_embed, decoder_embed (2), decoder_blocks (12), decoder_norm (2), decoder_pred (2)',
    );
  });

  it('of a classifier: fc_norm stands for norm, and the head is there to be read', () => {
    const classifier = changed(PUBLISHED.file, /^(decoder_|mask_token|norm)/, {
      'fc_norm.weight': filled(8),
      'fc_norm.bias': filled(8),
      'head.weight': filled(10, 8),
    });
    const source = readEncoder(classifier, { heads: 2 });
    expect(source.values('norm.weight', [8])).toEqual(new Float32Array(8).fill(0.5));
    expect(source.has('norm.weight')).toBe(false);
    expect(source.values('head.weight', [10, 8])).toHaveLength(80);
    expect(describeLoad(source.report)).toBe('16 tensors used; missing: norm (2); left over: fc_norm (2), head');
    expect(() => source.values('head.weight', [5, 8])).toThrow("x: 'head.weight' is [10, 8], the model wants [5, 8]");
  });

  it.each<[string, NamedFile, object, RegExp]>([
    ['without a norm', changed(PUBLISHED.file, /^norm/), { heads: 2 }, /x has no tensor 'norm.weight'/],
    [
      'whose heads nobody knows',
      PUBLISHED,
      {},
      /mae.pth does not say in its metadata how many heads it has.*Give .*--heads/,
    ],
    ['whose heads are said wrongly', PUBLISHED, { heads: 3 }, /--heads: 3 heads do not divide the width of 8/],
    ['for images that its patches do not divide', PUBLISHED, { heads: 2, image: 9 }, /--image: 9 is no multiple/],
    [
      'of another shape',
      changed(PUBLISHED.file, /^$/, { 'blocks.0.attn.qkv.bias': filled(8) }),
      { heads: 2 },
      /'blocks.0.attn.qkv.bias' is \[8\], the model wants \[24\]/,
    ],
    [
      'whose places are no square',
      changed(PUBLISHED.file, /^$/, { pos_embed: filled(1, 16, 8) }),
      { heads: 2, image: 12 },
      /'pos_embed' is \[1, 16, 8\], the model wants \[1, 37, 8\]/,
    ],
  ])('is refused %s', (_, file, overrides, message) => {
    expect(() => readEncoder(file, overrides)).toThrow(message);
  });

  /** Tensors of a block, under another name than ours. */
  const block = (under: string): Record<string, StoredTensor> =>
    Object.fromEntries(
      [...PUBLISHED.file.tensors]
        .filter(([name]) => name.startsWith('blocks.0.'))
        .map(([name, tensor]) => [name.replace('blocks.0.', under), tensor]),
    );
  it.each<[string, RegExp, Record<string, StoredTensor>, RegExp]>([
    [
      'LayerScale',
      /^$/,
      { 'blocks.0.ls1.gamma': filled(8), 'blocks.0.ls2.gamma': filled(8) },
      /x is of another architecture: 2 tensors would be left out \(blocks\.0\.ls1\.gamma, blocks\.0\.ls2\.gamma\)\. Give a plain/,
    ],
    [
      'blocks in chunks',
      /^blocks/,
      block('blocks.0.0.'),
      / 12 tensors would be left out \(blocks\.0\.0\.norm1\.weight, /,
    ],
    ['a block after a gap', /^$/, block('blocks.2.'), /blocks\.2\.norm1\.weight/],
    ['no block', /^blocks/, {}, /x has no tensor 'blocks\.0\.norm1\.weight'/],
    ['blocks under another name', /^blocks/, block('layers.0.'), /\(layers\.0\./],
    ['registers', /^$/, { register_tokens: filled(1, 4, 8) }, /1 tensor would be left out \(register_tokens\)/],
    ['a token of distillation', /^$/, { dist_token: filled(1, 1, 8), 'head_dist.bias': filled(3) }, /\(dist_token\)/],
    ['a norm before the blocks', /^$/, { 'norm_pre.weight': filled(8) }, /norm_pre\.weight/],
    ['norms of queries', /^$/, { 'blocks.0.attn.q_norm.weight': filled(4) }, /blocks\.0\.attn\.q_norm\.weight/],
    ['a relative position', /^$/, { 'rel_pos_bias.relative_position_bias_table': filled(9, 2) }, /rel_pos_bias\./],
  ])('is refused with %s, by the name of what would be left out', (_, without, also, message) => {
    expect(() => readEncoder(changed(PUBLISHED.file, without, also), { heads: 2 })).toThrow(message);
    expect(() => describeModel(changed(PUBLISHED.file, without, also).file, 'x', HEADS)).toThrow(message);
  });

  it('is read beside whatever is no part of it', () => {
    const beside = {
      mask_token: filled(1, 8), // DINOv2's is the encoder's, and hides patches in training alone
      'head.mlp.0.weight': filled(8, 8),
      'decoder_blocks.0.ls1.gamma': filled(4),
      'projector.weight': filled(8, 8),
    };
    const source = readEncoder(changed(PUBLISHED.file, /^decoder|^mask_token/, beside), { heads: 2 });
    expect(describeLoad(source.report)).toBe('18 tensors used; left over: mask_token, head, decoder_blocks, projector');
  });

  it('is read where a decoder is of another kind, but such a model is not', () => {
    const other = changed(PUBLISHED.file, /^$/, { 'decoder_blocks.0.ls1.gamma': filled(4) });
    expect(readEncoder(other, { heads: 2 }).size.depth).toBe(1);
    expect(() => describeModel(other.file, 'x', HEADS)).toThrow(/left out \(decoder_blocks\.0\.ls1\.gamma\)/);
  });
});

describe('what a published file does not say', () => {
  it.each<[Partial<ModelSize>, number, number]>([
    [{ dim: 192, decoderDim: 512 }, 3, 16],
    [{ dim: 384, decoderDim: 512 }, 6, 16],
    [{ dim: 768, decoderDim: 512 }, 12, 16],
    [{ dim: 1024, decoderDim: 512 }, 16, 16],
    [{ dim: 1280, decoderDim: 512 }, 16, 16],
    [{ dim: 256, decoderDim: 128 }, 4, 2],
  ])('heads follow from widths: %o', (size, heads, decoderHeads) => {
    const facts = describeModel(published(size).file, 'p');
    expect(facts.size).toMatchObject({ heads, decoderHeads });
    expect(facts.assumed?.join()).toMatch(
      new RegExp(`^${heads} heads, .*${decoderHeads} decoder heads, .*targets of raw pixels`),
    );
  });

  it('the arguments of the script say what its targets are, but not of an i-MAE, where they have no effect', () => {
    expect(describeModel(PUBLISHED.file, 'p', HEADS)).toMatchObject({
      size: SIZE,
      normPix: true,
      maskRatio: 0.6,
      assumed: ["ImageNet's mean and deviation"],
    });
    expect(describeModel(PUBLISHED.file, 'p', { ...HEADS, normPix: false }).normPix).toBe(false);
    const two = { tensors: published({}, 2).file.tensors, metadata: { 'args.norm_pix_loss': 'true' } };
    expect(describeModel(two, 'p', HEADS)).toMatchObject({ branches: 2, normPix: false });
  });

  it('an encoder alone is no model', () => {
    expect(() => describeModel(changed(PUBLISHED.file, /^(decoder_|mask_token)/).file, 'x', HEADS)).toThrow(
      "x holds an encoder alone, without the decoder ('mask_token' and what follows it) that paints images again. Give the whole model",
    );
  });
});

describe('a published teacher', () => {
  const settings = {
    model: { ...SIZE, image: 16, normPix: true },
    teacher: { checkpoint: 'mae.pth', budget: { steps: 1 } },
    training: { budget: { steps: 1 } },
    data: { statistics: 'imagenet' },
  } as const;

  it('starts an i-MAE and teaches it, its positions interpolated', async () => {
    const { store } = await tinyRun(engine, tinyConfig(settings), { teacher: PUBLISHED });
    const { tensors, metadata } = readSafetensors(store.checkpoints[0]?.model as Uint8Array);
    expect(metadata).toMatchObject({ phase: 'imae', step: '1' });
    expect(tensors.get('pos_embed')?.shape).toEqual([1, 65, 8]);
    // A first step has a learning rate of 0.
    const values = (name: string, from = tensors): Float32Array => tensorFloat32(from.get(name) as StoredTensor);
    expect(values('blocks.0.mlp.fc1.weight')).toEqual(values('blocks.0.mlp.fc1.weight', PUBLISHED.file.tensors));
    expect(values('decoder_embed2.weight')).toEqual(values('decoder_embed.weight', PUBLISHED.file.tensors));
  });

  it.each<[string, NamedFile, object, RegExp]>([
    [
      'with other targets',
      PUBLISHED,
      { model: { ...settings.model, normPix: false } },
      /mae.pth was trained with normPix true, but this run's teacher has false/,
    ],
    [
      'with other heads than published ones have',
      published({ dim: 192, decoderDim: 64 }),
      { model: { ...settings.model, dim: 192, heads: 4, decoderDim: 64 } },
      /p is 192 wide, and published models of that width have 3 heads, but this run's teacher has 4/,
    ],
    ['without a decoder', changed(PUBLISHED.file, /^(decoder_|mask_token)/), {}, /x has no tensor 'mask_token'/],
    ['of two branches', published({}, 2), {}, /p has no tensor 'decoder_embed.weight'/],
    ['deeper than it is to be', published({ depth: 2 }), {}, /p is of another architecture: .*\(blocks.1.norm1.weight/],
    [
      'with a deeper decoder than it is to have',
      published({ decoderDepth: 2 }),
      { model: { ...settings.model, normPix: false } },
      /p is of another architecture: .*\(decoder_blocks.1.norm1.weight/,
    ],
  ])('is refused %s', (_, { name, file }, changes, message) => {
    expect(() => assertTeacherFits(tinyConfig({ ...settings, ...changes }), file, name)).toThrow(message);
  });
});

describe('exportModel', () => {
  const BLOCK = ['norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2'];
  const both = (name: string): string[] => [`${name}.weight`, `${name}.bias`];
  const ENCODER = [
    'cls_token',
    'pos_embed',
    ...['patch_embed.proj', ...BLOCK.map((name) => `blocks.0.${name}`), 'norm'].flatMap(both),
  ];
  const decoder = (...branches: string[]): string[] => [
    ...['mask_token', 'decoder_pos_embed'],
    ...[...branches, ...BLOCK.map((name) => `decoder_blocks.0.${name}`), 'decoder_norm', 'decoder_pred'].flatMap(both),
  ];

  it.each<[string, NamedFile, 'model' | 'encoder', string[]]>([
    ['a model', PUBLISHED, 'model', [...ENCODER, ...decoder('decoder_embed')]],
    [
      'a model with more in its file',
      changed(PUBLISHED.file, /^$/, { 'head.weight': filled(3) }),
      'model',
      [...ENCODER, ...decoder('decoder_embed')],
    ],
    ['two branches', published({}, 2), 'model', [...ENCODER, ...decoder('decoder_embed1', 'decoder_embed2')]],
    ['an encoder', PUBLISHED, 'encoder', ENCODER],
  ])('writes exactly what PyTorch’s model holds: %s', (_, model, part, names) => {
    const { tensors, metadata } = readSafetensors(exportModel(model, part, HEADS).bytes);
    expect([...tensors.keys()].sort()).toEqual([...names].sort());
    for (const [name, { dtype, shape, bytes: content }] of tensors) {
      expect([name, dtype, shape, content]).toEqual([
        name,
        'F32',
        model.file.tensors.get(name)?.shape,
        model.file.tensors.get(name)?.bytes,
      ]);
    }
    expect(metadata).toMatchObject({ format: 'pt', heads: '2', mean: JSON.stringify(IMAGENET.mean) });
  });

  it('tells all that it knew: read again, nothing is assumed', () => {
    const again = describeModel(readSafetensors(exportModel(PUBLISHED, 'model', HEADS).bytes), 'x');
    expect(again).toEqual({
      size: { ...SIZE, layerNormEps: 1e-6 },
      branches: 1,
      normalisation: IMAGENET,
      normPix: true,
      maskRatio: 0.6,
    });
  });
});
