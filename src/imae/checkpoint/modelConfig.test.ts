import { describe, expect, it } from 'vitest';
import { storedTensor, type Safetensors, type StoredTensor } from '../../formats/safetensors';
import { TINY_CONFIG, TINY_PREPROCESSOR, tinyMae } from '../../testing/transformersModel';
import { tinyConfig } from '../../testing/tinyRun';
import { assertTeacherFits } from './checkpoint';
import { readEncoder } from './encoderSource';
import { describeLoad } from './loadReport';
import { completeModel, type Json, type ModelConfigFiles } from './modelConfig';
import { describeModel } from './modelFile';

const { mae, transformers } = tinyMae();
const file = (
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Safetensors['metadata'] = { format: 'pt' },
): Safetensors => ({
  tensors: new Map(tensors),
  metadata,
});
const complete = (
  tensors: ReadonlyMap<string, StoredTensor>,
  config: Json | undefined = TINY_CONFIG,
  preprocessor?: Json,
): Safetensors => completeModel(file(tensors), 'x', (): ModelConfigFiles => ({ config, preprocessor }));
/** Tensors by other names; those without one are left out. */
const renamed = (
  tensors: ReadonlyMap<string, StoredTensor>,
  rename: (name: string) => string | undefined,
): Map<string, StoredTensor> =>
  new Map(
    [...tensors].flatMap(([name, tensor]) => {
      const to = rename(name);
      return to === undefined ? [] : [[to, tensor] as const];
    }),
  );
const contents = ({ tensors }: Safetensors): object =>
  Object.fromEntries(
    [...tensors].map(([name, { dtype, shape, bytes }]) => [name, { dtype, shape, bytes: [...bytes] }]),
  );
const isEncoders = (name: string): boolean => !/^(decoder_|mask_token)/.test(name);
const METADATA = { mean: '[0.5,0.4,0.3]', std: '[0.5,0.25,0.125]' };
const SIZE = { image: 16, channels: 3, patch: 8, dim: 12, depth: 2, heads: 3, layerNormEps: 1e-12 };

describe('a ViTMAE of transformers', () => {
  it('has the tensors of the same model under MAE’s names', () => {
    expect(contents(complete(transformers))).toEqual(contents(file(mae)));
  });

  it('tells all of itself', () => {
    expect(describeModel(complete(transformers, TINY_CONFIG, TINY_PREPROCESSOR), 'x')).toEqual({
      size: { ...SIZE, decoderDim: 8, decoderDepth: 1, decoderHeads: 2 },
      branches: 1,
      normalisation: { mean: [0.5, 0.4, 0.3], std: [0.5, 0.25, 0.125] },
      normPix: true,
      maskRatio: 0.5,
      phase: 'mae',
    });
  });

  it('is by default what transformers’ configuration is by default', () => {
    const { hidden_act, layer_norm_eps, norm_pix_loss, mask_ratio, num_attention_heads, ...config } = TINY_CONFIG;
    expect(hidden_act).toBe('gelu');
    expect([layer_norm_eps, norm_pix_loss, mask_ratio, num_attention_heads]).toEqual([1e-12, true, 0.5, 3]);
    expect(describeModel(complete(transformers, config), 'x')).toMatchObject({
      size: { layerNormEps: 1e-12, heads: 12, decoderHeads: 2 },
      normPix: false,
      maskRatio: 0.75,
    });
  });

  it('without its configuration: what is assumed is told', () => {
    const facts = describeModel(completeModel(file(transformers), 'x'), 'x', { heads: 3, decoderHeads: 2 });
    expect(facts.size).toMatchObject({ heads: 3, decoderHeads: 2, layerNormEps: 1e-12 });
    expect(facts.assumed).toEqual([
      "an ε of 1e-12 in layer norms, transformers' default, since no config.json is beside it (--layer-norm-eps)",
      "ImageNet's mean and deviation",
      'targets of raw pixels (--norm-pix)',
    ]);
    const said = { heads: 3, decoderHeads: 2, layerNormEps: 1e-5 };
    expect(describeModel(completeModel(file(transformers), 'x'), 'x', said).size.layerNormEps).toBe(1e-5);
  });

  it('is a teacher of a run that has its sizes', () => {
    const settings = {
      model: {
        image: 16,
        patch: 8,
        dim: 12,
        depth: 2,
        heads: 3,
        decoderDim: 8,
        decoderDepth: 1,
        decoderHeads: 2,
        normPix: true,
      },
      teacher: { checkpoint: 'x' },
      data: { statistics: 'imagenet' },
    } as const;
    const teacher = complete(transformers);
    const fits = (layerNormEps: number): void =>
      assertTeacherFits(tinyConfig({ ...settings, model: { ...settings.model, layerNormEps } }), teacher, 'x');
    expect(() => fits(1e-12)).not.toThrow();
    expect(() => fits(1e-6)).toThrow(
      "x was trained with layerNormEps 1e-12, but this run's teacher has 0.000001. Give the same (--layer-norm-eps).",
    );
    const config = tinyConfig({ ...settings, model: { ...settings.model, layerNormEps: 1e-12 } });
    expect(() => assertTeacherFits(config, complete(transformers, TINY_CONFIG, TINY_PREPROCESSOR), 'x')).toThrow(
      'x takes images normalised by the mean [0.5,0.4,0.3] and the deviation [0.5,0.25,0.125], and this run',
    );
  });

  it('of an encoder alone, with and without a prefix', () => {
    const names = [...transformers.keys()].filter((name) => name.startsWith('vit.'));
    for (const prefix of ['', 'vit.', 'model.vit.']) {
      const tensors = renamed(transformers, (name) =>
        names.includes(name) ? prefix + name.slice('vit.'.length) : undefined,
      );
      const encoder = readEncoder({ name: 'x', file: complete(tensors) });
      expect(encoder.size).toEqual(SIZE);
      expect(encoder.report).toMatchObject({ missing: [], leftOver: [] });
      expect(contents(complete(tensors))).toEqual(
        contents(file(renamed(mae, (name) => (isEncoders(name) ? name : undefined)))),
      );
    }
  });

  it('without biases of queries, keys and values: they are zeros', () => {
    const tensors = renamed(transformers, (name) => (/(query|key|value)\.bias$/.test(name) ? undefined : name));
    const config = { ...TINY_CONFIG, qkv_bias: false };
    const encoder = readEncoder({ name: 'x', file: complete(tensors, config) });
    expect(encoder.values('blocks.1.attn.qkv.bias', [36])).toEqual(new Float32Array(36));
    expect(() => readEncoder({ name: 'x', file: complete(tensors) })).toThrow(
      "x has no tensor 'blocks.0.attn.qkv.bias'",
    );
  });

  it.each<[string, Json, RegExp]>([
    ['of another type', { model_type: 'dinov2' }, /x is a model of the type 'dinov2', as its config.json says/],
    ['with another activation', { hidden_act: 'quick_gelu' }, /x has the activation 'quick_gelu'/],
    [
      'whose configuration is of another width',
      { hidden_size: 768 },
      /says that hidden_size is 768, and its tensors that it is 12/,
    ],
    [
      'whose configuration is deeper',
      { num_hidden_layers: 12 },
      /says that num_hidden_layers is 12, and its tensors that it is 2/,
    ],
    [
      'whose configuration has larger images',
      { image_size: [224, 224] },
      /says that image_size is 224, and its tensors that it is 16/,
    ],
  ])('is refused %s', (_, changes, message) => {
    expect(() => complete(transformers, { ...TINY_CONFIG, ...changes })).toThrow(message);
  });

  it('is refused with a part of its queries, keys and values', () => {
    const tensors = renamed(transformers, (name) => (/layer\.1.*key\.weight$/.test(name) ? undefined : name));
    expect(() => complete(tensors)).toThrow("x lacks one of query, key and value of 'blocks.1.attn.qkv.weight'");
  });
});

describe('a classifier', () => {
  const head = storedTensor([2, 12], new Float32Array(24).fill(0.25));
  const names = { '1': 'dog', '0': 'cat' };

  it('of transformers is read with the names of its classes', () => {
    const tensors = renamed(transformers, (name) => (name.startsWith('vit.') ? name : undefined)).set(
      'classifier.weight',
      head,
    );
    const found = complete(tensors, { ...TINY_CONFIG, model_type: 'vit', id2label: names });
    expect(found.metadata).toMatchObject({ classes: '["cat","dog"]', pool: 'class' });
    const encoder = readEncoder({ name: 'x', file: found });
    expect(encoder.values('head.weight', [2, 12])).toEqual(new Float32Array(24).fill(0.25));
    expect(describeLoad(encoder.report)).toBe('30 tensors used; left over: head');
  });

  it('of timm is read with its statistics, heads and names', () => {
    const tensors = renamed(mae, (name) => (isEncoders(name) ? name.replace(/^norm\./, 'fc_norm.') : undefined));
    const config = {
      architecture: 'vit_tiny_patch16_224',
      num_classes: 2,
      global_pool: 'avg',
      label_names: ['cat', 'dog'],
      model_args: { embed_dim: 12, num_heads: 3 },
      pretrained_cfg: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.5, 0.5], input_size: [3, 16, 16] },
    };
    const found = complete(tensors.set('head.weight', head), config);
    expect(found.metadata).toMatchObject({ classes: '["cat","dog"]', pool: 'mean' });
    const { size, normalisation, assumed } = readEncoder({ name: 'x', file: found });
    expect({ size, normalisation, assumed }).toEqual({
      size: { ...SIZE, layerNormEps: undefined },
      normalisation: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.5, 0.5] },
      assumed: undefined,
    });
    // In the older form all of it is one object.
    const { pretrained_cfg: inner, ...outer } = config;
    expect(complete(tensors, { ...outer, ...inner }).metadata).toEqual(found.metadata);
  });
});

describe('names with something before them', () => {
  it.each(['model.', 'encoder.', 'backbone.', 'module.student.'])('are read: %s', (prefix) => {
    expect(contents(completeModel(file(renamed(mae, (name) => prefix + name)), 'x'))).toEqual(contents(file(mae)));
  });

  it('are read where more is in the file, whatever it is called', () => {
    const tensors = renamed(mae, (name) => (isEncoders(name) ? `backbone.${name}` : undefined));
    for (const name of ['head.mlp.weight', 'neck.blocks.0.gamma', 'norm.weight'])
      tensors.set(name, storedTensor([1], Float32Array.of(1)));
    const encoder = readEncoder({ name: 'x', file: completeModel(file(tensors), 'x') }, { heads: 3 });
    expect(encoder.report).toMatchObject({
      missing: [],
      leftOver: ['head.mlp.weight', 'neck.blocks.0.gamma', 'norm.weight'],
    });
  });

  it('are read where the decoder stands beside the encoder', () => {
    const tensors = renamed(mae, (name) => (isEncoders(name) ? `encoder.${name}` : name));
    expect(contents(completeModel(file(tensors), 'x'))).toEqual(contents(file(mae)));
  });

  it('are refused where they are of several encoders', () => {
    const tensors = new Map([...renamed(mae, (name) => `base.${name}`), ...renamed(mae, (name) => `momentum.${name}`)]);
    expect(() => completeModel(file(tensors), 'x')).toThrow(
      "x holds 2 encoders, whose names begin with 'base.', 'momentum.'. Give a file with one of them.",
    );
  });

  it('are refused where a name is there with and without', () => {
    const tensors = renamed(mae, (name) => `encoder.${name}`).set('mask_token', storedTensor([1], Float32Array.of(1)));
    expect(() => completeModel(file(tensors), 'x')).toThrow("x has both 'mask_token' and 'encoder.mask_token'");
  });

  it('of the state of an optimizer are left alone', () => {
    const state = file(
      renamed(mae, (name) => `m.${name}`),
      { run: '{}' },
    );
    expect([...completeModel(state, 'x').tensors.keys()]).toEqual([...state.tensors.keys()]);
  });

  it('of one of several models of a file are told', () => {
    const { assumed } = readEncoder(
      { name: 'x', file: file(mae, { ...METADATA, 'torch.key': 'teacher', 'torch.others': 'student' }) },
      { heads: 3 },
    );
    expect(assumed).toEqual(["the model under 'teacher'; the file has others under student"]);
  });

  it('what a file has instead is told', () => {
    const tensors = new Map([['layers.0.weight', storedTensor([1], Float32Array.of(1))]]);
    expect(() => readEncoder({ name: 'x', file: completeModel(file(tensors), 'x') })).toThrow(
      "x is not a model of this program: it has no 'patch_embed.proj.weight'. It holds layers. Give",
    );
  });
});
