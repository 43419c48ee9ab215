import { describe, expect, it } from 'vitest';
import { readSafetensors, storedTensor, type Safetensors, type StoredTensor } from '../../formats/safetensors';
import { TINY_CONFIG, TINY_PREPROCESSOR, tinyMae } from '../../testing/transformersModel';
import { readEncoder } from './encoderSource';
import { exportTimm, exportTransformers, type ExportedFolder } from './exportFolder';
import { exportModel } from './exportModel';
import { completeModel, type Json } from './modelConfig';
import { describeModel } from './modelFile';
import type { NamedFile } from './namedFile';

const { mae, transformers } = tinyMae();
const METADATA = {
  ...{
    phase: 'lcmae',
    step: '12',
    heads: '3',
    decoderHeads: '2',
    layerNormEps: '1e-12',
    normPix: 'true',
    mask: 'block',
  },
  ...{ maskRatio: '0.5', mean: '[0.5,0.4,0.3]', std: '[0.5,0.25,0.125]' },
};
const OURS: NamedFile = { name: 'ours', file: { tensors: mae, metadata: METADATA } };
const jsonOf = ({ files }: ExportedFolder, name: string): Json => JSON.parse(files.get(name) as string) as Json;
const tensorsOf = ({ files }: ExportedFolder): Safetensors =>
  readSafetensors(files.get('model.safetensors') as Uint8Array);

/** A folder that was written, read again. */
const again = (folder: ExportedFolder): NamedFile => ({
  name: 'again',
  file: completeModel(tensorsOf(folder), 'again', () => ({
    config: jsonOf(folder, 'config.json'),
    ...(folder.files.has('preprocessor_config.json')
      ? { preprocessor: jsonOf(folder, 'preprocessor_config.json') }
      : {}),
  })),
});
const contents = (tensors: ReadonlyMap<string, StoredTensor>): object =>
  Object.fromEntries([...tensors].map(([name, { shape, bytes }]) => [name, { shape, bytes: [...bytes] }]));
const encoderOf = (tensors: ReadonlyMap<string, StoredTensor>): Map<string, StoredTensor> =>
  new Map([...tensors].filter(([name]) => !/^(decoder|mask_token)/.test(name)));
/** A classifier by the class token, or by the mean of the patches. */
function classifier(pool: 'class' | 'mean', more: Json = {}): NamedFile {
  const tensors = encoderOf(mae);
  for (const end of ['weight', 'bias'].filter(() => pool === 'mean')) {
    tensors.set(`fc_norm.${end}`, tensors.get(`norm.${end}`) as StoredTensor);
    tensors.delete(`norm.${end}`);
  }
  tensors.set(
    'head.weight',
    storedTensor(
      [2, 12],
      Float32Array.from({ length: 24 }, (_, i) => i / 8),
    ),
  );
  tensors.set('head.bias', storedTensor([2], Float32Array.of(0.5, -0.5)));
  return {
    name: 'ours',
    file: { tensors, metadata: { ...METADATA, phase: 'classifier', pool, classes: '["cat","dog"]', ...more } },
  };
}

describe('as transformers loads it', () => {
  it('an MAE has transformers’ names, configuration and statistics', () => {
    const folder = exportTransformers(OURS, 'model', {});
    expect(folder.is).toBe('ViTMAEForPreTraining');
    expect(contents(tensorsOf(folder).tensors)).toEqual(contents(transformers));
    const { transformers_version, ...wanted } = TINY_CONFIG;
    expect(transformers_version).toBe('4.40.0');
    expect(jsonOf(folder, 'config.json')).toEqual(wanted);
    expect(jsonOf(folder, 'preprocessor_config.json')).toEqual({ ...TINY_PREPROCESSOR, resample: 3 });
  });

  it('ours → transformers → ours is the same, and so is transformers → ours → transformers', () => {
    const back = again(exportTransformers(OURS, 'model', {}));
    expect(contents(back.file.tensors)).toEqual(contents(mae));
    expect(describeModel(back.file, 'x')).toEqual(describeModel(OURS.file, 'x'));
    const { bytes } = exportModel(back, 'model', {});
    const ours = readSafetensors(exportModel(OURS, 'model', {}).bytes);
    expect(readSafetensors(bytes)).toEqual({ ...ours, metadata: { ...ours.metadata, exportedFrom: 'again' } });
    const theirs: NamedFile = {
      name: 'theirs',
      file: completeModel({ tensors: transformers, metadata: { format: 'pt' } }, 'theirs', () => ({
        config: TINY_CONFIG,
        preprocessor: TINY_PREPROCESSOR,
      })),
    };
    const plain = readSafetensors(exportModel(theirs, 'model', {}).bytes);
    const folder = exportTransformers({ name: 'plain', file: plain }, 'model', {});
    expect(contents(tensorsOf(folder).tensors)).toEqual(contents(transformers));
    expect(jsonOf(folder, 'config.json')).toMatchObject({
      layer_norm_eps: 1e-12,
      norm_pix_loss: true,
      mask_ratio: 0.5,
    });
  });

  it('an encoder is a ViTModel, without a prefix', () => {
    const folder = exportTransformers(OURS, 'encoder', {});
    expect([folder.is, folder.notes]).toEqual(['ViTModel', [expect.stringContaining('add_pooling_layer=False')]]);
    const wanted = [...transformers.keys()]
      .filter((name) => name.startsWith('vit.'))
      .map((name) => name.slice('vit.'.length));
    expect([...tensorsOf(folder).tensors.keys()].sort()).toEqual(wanted.sort());
    expect(contents(again(folder).file.tensors)).toEqual(contents(encoderOf(mae)));
  });

  it('a classifier by the class token is a ViTForImageClassification', () => {
    const ours = classifier('class');
    const folder = exportTransformers(ours, 'model', {});
    expect(folder.is).toBe('ViTForImageClassification');
    expect(jsonOf(folder, 'config.json')).toMatchObject({
      model_type: 'vit',
      id2label: { '0': 'cat', '1': 'dog' },
      label2id: { cat: 0, dog: 1 },
    });
    expect([...tensorsOf(folder).tensors.keys()]).toEqual(
      expect.arrayContaining(['classifier.weight', 'vit.layernorm.bias']),
    );
    expect(contents(again(folder).file.tensors)).toEqual(contents(ours.file.tensors));
    expect(again(folder).file.metadata).toMatchObject({ classes: '["cat","dog"]', pool: 'class', phase: 'classifier' });
    const unnamed = exportTransformers(classifier('class', { classes: 'none' }), 'model', {});
    expect(jsonOf(unnamed, 'config.json')).toMatchObject({ id2label: { '0': 'LABEL_0', '1': 'LABEL_1' } });
  });

  it('what it has not is refused', () => {
    expect(() => exportTransformers(classifier('mean'), 'model', {})).toThrow(
      /ours classifies by the mean of the patches.*--as timm/,
    );
    const two = new Map(mae);
    for (const end of ['weight', 'bias']) {
      const tensor = mae.get(`decoder_embed.${end}`) as StoredTensor;
      for (const branch of [1, 2]) two.set(`decoder_embed${branch}.${end}`, tensor);
      two.delete(`decoder_embed.${end}`);
    }
    const imae: NamedFile = { name: 'ours', file: { tensors: two, metadata: METADATA } };
    expect(() => exportTransformers(imae, 'model', {})).toThrow(
      /ours is an i-MAE with two branches.*Give --part encoder/,
    );
    expect(exportTransformers(imae, 'encoder', {}).is).toBe('ViTModel');
  });
});

describe('as timm loads it', () => {
  it('an encoder has what timm’s model has, and tells what create_model takes', () => {
    const folder = exportTimm(OURS, 'model', {});
    expect(contents(tensorsOf(folder).tensors)).toEqual(contents(encoderOf(mae)));
    expect(jsonOf(folder, 'config.json')).toMatchObject({
      architecture: 'vit_base_patch16_224',
      num_classes: 0,
      model_args: {
        img_size: 16,
        patch_size: 8,
        in_chans: 3,
        embed_dim: 12,
        depth: 2,
        num_heads: 3,
        global_pool: 'token',
      },
      pretrained_cfg: { input_size: [3, 16, 16], mean: [0.5, 0.4, 0.3], std: [0.5, 0.25, 0.125] },
    });
    expect(folder.notes).toEqual([expect.stringContaining('norm_layer=partial(timm.layers.LayerNorm, eps=1e-12)')]);
    expect(exportTimm(OURS, 'model', { layerNormEps: 1e-6 }).notes).toEqual([]);
  });

  it('ours → timm → ours is the same', () => {
    const factsOf = (model: NamedFile): object => {
      const { size, normalisation, phase, step } = readEncoder(model);
      return { size, normalisation, phase, step };
    };
    expect(factsOf(again(exportTimm(OURS, 'encoder', {})))).toEqual(factsOf(OURS));
    for (const pool of ['mean', 'class'] as const) {
      const ours = classifier(pool);
      const folder = exportTimm(ours, 'model', {});
      expect(jsonOf(folder, 'config.json')).toMatchObject({
        num_classes: 2,
        label_names: ['cat', 'dog'],
        model_args: { global_pool: pool === 'mean' ? 'avg' : 'token' },
      });
      const read = again(folder).file;
      expect(contents(read.tensors)).toEqual(contents(ours.file.tensors));
      expect(read.metadata).toMatchObject({ classes: '["cat","dog"]', pool });
    }
  });
});
