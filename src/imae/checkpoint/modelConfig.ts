import { ELEMENT_BYTES, type Safetensors } from '../../formats/safetensors';
import { UserError } from '../../common/userError';
import { TRANSFORMERS_EPS } from './encoderMetadata';
import { normalisationMetadata } from './modelFile';
import { underMaeNames, type Naming } from './maeNames';
import { PATCH_WEIGHT } from './names';

/*
 * What libraries write beside a model's tensors, as metadata of our own files: transformers' `config.json` and
 * `preprocessor_config.json`, and timm's `config.json`. What a configuration leaves out is the library's default.
 * Source: transformers' configuration_vit_mae.py, configuration_vit.py and image_processing_vit.py, timm's _hub.py.
 */

/** A parsed JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** The files that lie beside a model's tensors. */
export interface ModelConfigFiles {
  /** `config.json`, of transformers or timm. */
  readonly config?: Json | undefined;
  /** `preprocessor_config.json`. */
  readonly preprocessor?: Json | undefined;
}

/** Models of transformers whose encoders are plain Vision Transformers under the names that are known here. */
const MODEL_TYPES = ['vit_mae', 'vit', 'vit_msn'];
/** Names of GELU by the error function, which is what is computed here. */
const EXACT_GELU = ['gelu', 'gelu_python'];

/**
 * A model's file under MAE's names, its metadata completed by what the library that saved it wrote beside it.
 *
 * @param source what messages call the file
 * @param filesBeside what lies beside a file with names of that kind
 * @throws UserError where the configuration is of another model, or of one that is not known here
 */
export function completeModel(
  file: Safetensors,
  source: string,
  filesBeside: (naming: Naming) => ModelConfigFiles = () => ({}),
): Safetensors {
  const { tensors, naming, outside } = underMaeNames(file, source);
  const { config, preprocessor } = filesBeside(naming);
  const beside = outside.length === 0 ? {} : { outside: outside.join('\n') };
  const renamed = { tensors, metadata: { ...file.metadata, ...beside } };
  if (naming === 'transformers') {
    const about = config ? transformersMetadata(renamed, source, config) : {};
    const pixels = normalisationOf(preprocessor, tensors.get(PATCH_WEIGHT)?.shape[1]);
    return withBiases({ tensors, metadata: { ...renamed.metadata, names: naming, ...about, ...pixels } }, config);
  }
  if (!config || !isTimm(config)) return renamed;
  return { tensors, metadata: { ...renamed.metadata, ...timmMetadata(config) } };
}

/** Whether a configuration is timm's. */
export function isTimm(config: Json): boolean {
  return typeof config['architecture'] === 'string';
}

function transformersMetadata(file: Safetensors, source: string, config: Json): Record<string, string> {
  const { model_type: type, hidden_act: activation = 'gelu' } = config;
  if (typeof type === 'string' && !MODEL_TYPES.includes(type)) {
    throw new UserError(
      `${source} is a model of the type '${type}', as its config.json says. Of transformers, ${MODEL_TYPES.join(', ')} are read.`,
    );
  }
  if (!EXACT_GELU.includes(String(activation))) {
    throw new UserError(
      `${source} has the activation '${String(activation)}' (hidden_act in config.json), and ${EXACT_GELU[0] ?? ''} is the one that is known here.`,
    );
  }
  assertSizes(file, source, config);
  const { num_attention_heads: heads = 12, layer_norm_eps: eps = TRANSFORMERS_EPS } = config;
  const encoder = { heads: String(heads), layerNormEps: String(eps) };
  const classes = {
    ...namesOfClasses(file, config['id2label']),
    ...(file.tensors.has('head.weight') ? { pool: 'class' } : {}),
  };
  if (!file.tensors.has('decoder_pred.weight')) return { ...encoder, ...classes };
  const {
    decoder_num_attention_heads: decoderHeads = 16,
    norm_pix_loss: normPix = false,
    mask_ratio: ratio = 0.75,
  } = config;
  return {
    ...encoder,
    decoderHeads: String(decoderHeads),
    normPix: String(normPix),
    maskRatio: String(ratio),
    ...(file.metadata['phase'] === undefined ? { phase: 'mae' } : {}),
  };
}

/** The sizes that a configuration tells and tensors show: others are those of another model. */
function assertSizes({ tensors }: Safetensors, source: string, config: Json): void {
  const [hidden, channels, patch = 0] = tensors.get(PATCH_WEIGHT)?.shape ?? [];
  const places = tensors.get('pos_embed')?.shape[1] ?? 0;
  const depth = (blocks: string): number => {
    let count = 0;
    while (tensors.has(`${blocks}.${count}.norm1.weight`)) count++;
    return count;
  };
  const found: Readonly<Record<string, number | undefined>> = {
    hidden_size: hidden,
    num_channels: channels,
    patch_size: patch,
    image_size: Math.sqrt(places - 1) * patch,
    num_hidden_layers: depth('blocks'),
    decoder_hidden_size: tensors.get('mask_token')?.shape[2],
    decoder_num_hidden_layers: tensors.has('mask_token') ? depth('decoder_blocks') : undefined,
  };
  for (const [key, size] of Object.entries(found)) {
    const said = config[key];
    const sides: unknown[] = Array.isArray(said) ? said : [said];
    const other = sides.find((side): side is number => typeof side === 'number' && size !== undefined && side !== size);
    if (other === undefined) continue;
    throw new UserError(
      `${source}: its config.json says that ${key} is ${other}, and its tensors that it is ${size ?? ''}. One of them is of another model.`,
    );
  }
}

/** Where products for queries, keys and values have no biases, zeros are what they add. */
function withBiases({ tensors, metadata }: Safetensors, config: Json | undefined): Safetensors {
  if (config?.['qkv_bias'] !== false) return { tensors, metadata };
  const all = new Map(tensors);
  for (const [name, { dtype, shape }] of tensors) {
    const bias = name.replace(/weight$/, 'bias');
    const [rows = 1] = shape;
    if (!/\.attn\.qkv\.weight$/.test(name) || tensors.has(bias)) continue;
    all.set(bias, { dtype, shape: [rows], bytes: new Uint8Array(ELEMENT_BYTES[dtype] * rows) });
  }
  return { tensors: all, metadata };
}

/** What an image processor makes of a byte: (byte · rescale_factor − mean) / deviation. */
function normalisationOf(preprocessor: Json | undefined, channels = 3): Record<string, string> {
  if (!preprocessor) return {};
  const { image_mean: mean, image_std: std, do_normalize: isNormalised = true } = preprocessor;
  const { do_rescale: isScaled = true, rescale_factor: factor = 1 / 255 } = preprocessor;
  const scale = 255 * (isScaled === true && typeof factor === 'number' ? factor : 1);
  const each = (value: number): number[] => new Array<number>(channels).fill(value);
  if (isNormalised === false) return normalisationMetadata({ mean: each(0), std: each(1 / scale) });
  if (!isNumbers(mean) || !isNumbers(std)) return {};
  // 255 · (1 / 255) is 1 exactly.
  return normalisationMetadata({ mean: mean.map((value) => value / scale), std: std.map((value) => value / scale) });
}

/** timm's: statistics, heads where they are said, and names of classes. */
function timmMetadata(config: Json): Record<string, string> {
  const inner = isJson(config['pretrained_cfg']) ? config['pretrained_cfg'] : config; // as one object in the older form
  const args = isJson(config['model_args']) ? config['model_args'] : {};
  const { mean, std } = inner;
  const names = config['label_names'] ?? inner['label_names'] ?? inner['labels'];
  const { global_pool: pool = inner['global_pool'] } = config;
  return {
    ...(isNumbers(mean) && isNumbers(std) ? normalisationMetadata({ mean, std }) : {}),
    ...(typeof args['num_heads'] === 'number' ? { heads: String(args['num_heads']) } : {}),
    ...(pool === 'token' ? { pool: 'class' } : pool === 'avg' ? { pool: 'mean' } : {}),
    ...listed(names),
  };
}

/** Only a classifier has names of its classes; transformers writes LABEL_0 and LABEL_1 for any other. */
function namesOfClasses(file: Safetensors, names: unknown): Record<string, string> {
  return file.tensors.has('head.weight') ? listed(names) : {};
}

/** Names of classes, as a list or by index, in the order of the classes. */
function listed(names: unknown): Record<string, string> {
  if (Array.isArray(names)) return { classes: JSON.stringify(names.map(String)) };
  if (!isJson(names)) return {};
  const ordered = Object.entries(names).sort(([a], [b]) => Number(a) - Number(b));
  return { classes: JSON.stringify(ordered.map(([, name]) => String(name))) };
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'number');
}
