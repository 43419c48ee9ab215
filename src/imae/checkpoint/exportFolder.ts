import { storedTensor, writeSafetensors, type StoredTensor } from '../../formats/safetensors';
import { UserError } from '../../common/userError';
import type { EncoderSize } from '../config/config';
import type { Normalisation } from '../model/normalisation';
import { MAE_EPS } from './encoderMetadata';
import { parameterValues } from './checkpoint';
import { collectModel, type Collected, type ExportedPart } from './exportModel';
import type { LoadReport } from './loadReport';
import type { EncoderFacts, ModelFacts, ModelOverrides } from './modelFile';
import { TRANSFORMERS_ENCODER, transformersNames } from './names';
import type { NamedFile } from './namedFile';

/*
 * Models as the libraries of others load them: `from_pretrained(FOLDER)` of transformers, and timm's
 * `create_model('local-dir:FOLDER', pretrained=True)`. What they do not know (phase, steps) stands in the metadata of
 * `model.safetensors`, which both leave alone, so that what comes back is what was written.
 */

/** The files of a model's folder. */
export interface ExportedFolder {
  readonly files: ReadonlyMap<string, Uint8Array | string>;
  /** What it is, by the library's name: `ViTMAEForPreTraining`. */
  readonly is: string;
  readonly facts: EncoderFacts;
  readonly report: LoadReport;
  /** What the one who loads it has to know. */
  readonly notes: readonly string[];
}

/** A linear layer on an encoder, which tells classes apart. */
interface Head {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly classes: number;
  readonly pool: 'class' | 'mean';
  readonly names: readonly string[] | undefined;
}

/**
 * A model as transformers loads it: a masked autoencoder as `ViTMAEForPreTraining`, a classifier as
 * `ViTForImageClassification`, an encoder as `ViTModel`.
 *
 * @param part `encoder` leaves out what stands on it
 * @throws UserError as `exportModel`, and of an i-MAE with two branches or a classifier by the mean, which transformers has not
 */
export function exportTransformers(model: NamedFile, part: ExportedPart, overrides: ModelOverrides): ExportedFolder {
  const isMae = part === 'model' && model.file.tensors.has('mask_token');
  const head = part === 'model' && !isMae ? headOf(model) : undefined;
  if (head?.pool === 'mean') {
    throw new UserError(
      `${model.name} classifies by the mean of the patches, and transformers' ViT by the class token. ` +
        'Give --as timm, or --part encoder.',
      { usage: true },
    );
  }
  const collected = collectModel(model, isMae ? 'model' : 'encoder', overrides);
  const { facts, report } = collected;
  const whole = isModel(facts) ? facts : undefined;
  if (whole?.branches === 2) {
    throw new UserError(
      `${model.name} is an i-MAE with two branches, and transformers' ViTMAE has one. Give --part encoder.`,
      { usage: true },
    );
  }
  const tensors = new Map<string, StoredTensor>();
  const prefix = isMae || head ? TRANSFORMERS_ENCODER : '';
  for (const [name, tensor] of [...collected.tensors, ...(head?.tensors ?? [])])
    for (const [other, part_] of split(name, tensor, transformersNames(name, prefix))) tensors.set(other, part_);
  const is = isMae ? 'ViTMAEForPreTraining' : head ? 'ViTForImageClassification' : 'ViTModel';
  const config = {
    architectures: [is],
    model_type: isMae ? 'vit_mae' : 'vit',
    ...encoderConfig(facts.size),
    ...(whole ? decoderConfig(whole) : { encoder_stride: facts.size.patch }),
    ...(head ? classesConfig(head) : {}),
    torch_dtype: 'float32',
  };
  return {
    files: new Map<string, Uint8Array | string>([
      ['model.safetensors', writeSafetensors(tensors, collected.metadata)],
      ['config.json', json(config)],
      ['preprocessor_config.json', json(preprocessorConfig(facts.size, facts.normalisation))],
    ]),
    ...{ is, facts, report },
    notes:
      is === 'ViTModel'
        ? ['ViTModel has a pooler, which no encoder here has: load it with add_pooling_layer=False']
        : [],
  };
}

/**
 * A model's encoder, with its head where it is a classifier, as timm loads it. timm has no decoder.
 *
 * @throws UserError as `exportModel`
 */
export function exportTimm(model: NamedFile, part: ExportedPart, overrides: ModelOverrides): ExportedFolder {
  const head = part === 'model' ? headOf(model) : undefined;
  const { tensors, facts, metadata, report } = collectModel(model, 'encoder', overrides);
  const { size, normalisation } = facts;
  for (const [name, tensor] of head?.tensors ?? []) tensors.set(name, tensor);
  if (head?.pool === 'mean') for (const end of ['weight', 'bias']) rename(tensors, `norm.${end}`, `fc_norm.${end}`);
  const { image, channels, patch, dim, depth, heads, layerNormEps = MAE_EPS } = size;
  const pool = head?.pool === 'mean' ? 'avg' : 'token';
  const config = {
    architecture: `vit_${TIMM_SIZES.get(dim) ?? 'base'}_patch16_224`, // model_args say what differs
    num_classes: head?.classes ?? 0,
    num_features: dim,
    global_pool: pool,
    ...(head?.names ? { label_names: head.names } : {}),
    model_args: {
      ...{ img_size: image, patch_size: patch, in_chans: channels, embed_dim: dim, depth, num_heads: heads },
      global_pool: pool,
    },
    pretrained_cfg: {
      ...{ input_size: [channels, image, image], fixed_input_size: true, ...normalisation },
      ...{ interpolation: 'bicubic', crop_pct: 1, num_classes: head?.classes ?? 0 },
      ...{ first_conv: 'patch_embed.proj', classifier: 'head' },
    },
  };
  return {
    files: new Map<string, Uint8Array | string>([
      ['model.safetensors', writeSafetensors(tensors, metadata)],
      ['config.json', json(config)],
    ]),
    ...{ is: head ? 'VisionTransformer with a head' : 'VisionTransformer', facts, report },
    notes:
      layerNormEps === MAE_EPS
        ? []
        : [
            `timm's files don't carry the ε of layer norms, ${layerNormEps} here and ${MAE_EPS} there: load it with ` +
              `norm_layer=partial(timm.layers.LayerNorm, eps=${layerNormEps})`,
          ],
  };
}

/** timm's words for widths. */
const TIMM_SIZES: ReadonlyMap<number, string> = new Map([
  [192, 'tiny'],
  [384, 'small'],
  [1024, 'large'],
]);

function isModel(facts: Collected['facts']): facts is ModelFacts {
  return 'branches' in facts;
}

/** The head of a classifier; undefined where the file has none. */
function headOf({ name: source, file }: NamedFile): Head | undefined {
  const [classes, dim, ...others] = file.tensors.get('head.weight')?.shape ?? [];
  if (classes === undefined || dim === undefined || others.length > 0) return undefined;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, shape] of [
    ['head.weight', [classes, dim]],
    ['head.bias', [classes]],
  ] as const)
    tensors.set(name, storedTensor(shape, parameterValues(file, name, shape, source)));
  const pool = file.metadata['pool'] ?? (file.tensors.has('fc_norm.weight') ? 'mean' : 'class');
  return {
    tensors,
    classes,
    pool: pool === 'mean' ? 'mean' : 'class',
    names: namesOf(file.metadata['classes'], classes),
  };
}

/** The names of classes that a file's metadata tells, where there are as many. */
function namesOf(text: string | undefined, classes: number): readonly string[] | undefined {
  try {
    const names: unknown = JSON.parse(text ?? 'null');
    return Array.isArray(names) && names.length === classes ? names.map(String) : undefined;
  } catch {
    return undefined;
  }
}

/** A tensor as those that are joined in it, one below the other. */
function split(
  name: string,
  tensor: StoredTensor,
  names: readonly string[] | undefined,
): readonly (readonly [string, StoredTensor])[] {
  if (!names) throw new Error(`'${name}' has no name in transformers.`); // all of a model have one
  const { dtype, shape, bytes } = tensor;
  const [rows = 1, ...rest] = shape;
  if (names.length === 1) return names.map((other) => [other, tensor]);
  const length = bytes.length / names.length;
  return names.map((other, index) => [
    other,
    { dtype, shape: [rows / names.length, ...rest], bytes: bytes.subarray(index * length, (index + 1) * length) },
  ]);
}

function rename(tensors: Map<string, StoredTensor>, from: string, to: string): void {
  const tensor = tensors.get(from);
  if (tensor) tensors.set(to, tensor);
  tensors.delete(from);
}

function encoderConfig({ image, channels, patch, dim, depth, heads, layerNormEps = MAE_EPS }: EncoderSize): object {
  return {
    ...{ hidden_size: dim, num_hidden_layers: depth, num_attention_heads: heads, intermediate_size: 4 * dim },
    ...{ image_size: image, patch_size: patch, num_channels: channels },
    ...{ hidden_act: 'gelu', layer_norm_eps: layerNormEps, qkv_bias: true },
    ...{ hidden_dropout_prob: 0, attention_probs_dropout_prob: 0, initializer_range: 0.02 },
  };
}

function decoderConfig({ size, normPix, maskRatio }: ModelFacts): object {
  const { decoderDim, decoderDepth, decoderHeads } = size;
  return {
    ...{ decoder_hidden_size: decoderDim, decoder_num_hidden_layers: decoderDepth },
    ...{ decoder_num_attention_heads: decoderHeads, decoder_intermediate_size: 4 * decoderDim },
    ...(maskRatio === undefined ? {} : { mask_ratio: maskRatio }),
    norm_pix_loss: normPix,
  };
}

function classesConfig({ classes, names }: Head): object {
  const all = names ?? Array.from({ length: classes }, (_, index) => `LABEL_${index}`);
  return {
    id2label: Object.fromEntries(all.map((name, index) => [String(index), name])),
    label2id: Object.fromEntries(all.map((name, index) => [name, index])),
  };
}

function preprocessorConfig({ image }: EncoderSize, { mean, std }: Normalisation): object {
  return {
    image_processor_type: 'ViTImageProcessor',
    ...{ do_resize: true, size: { height: image, width: image }, resample: 3 },
    ...{ do_rescale: true, rescale_factor: 1 / 255 },
    ...{ do_normalize: true, image_mean: mean, image_std: std },
  };
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
