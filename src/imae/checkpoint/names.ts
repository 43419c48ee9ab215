/*
 * What a model's parts are called: by MAE's code, which timm's names for a Vision Transformer are a part of and which are the
 * names here, and by transformers (ViTMAE, ViT). `*` is the index of a block. A part is a tensor, or holds `weight` and `bias`.
 * Queries, keys and values are one matrix in MAE, [3·dim, dim], and three in transformers, in this order.
 * Source: transformers' modeling_vit_mae.py and modeling_vit.py, timm's vision_transformer.py.
 */

/** A part by its name in MAE, and those in transformers: three where they are joined. */
export interface PartNames {
  readonly mae: string;
  readonly transformers: readonly string[];
}

const blocks = (mae: string, transformers: string): PartNames[] => [
  { mae: `${mae}.*.norm1`, transformers: [`${transformers}.*.layernorm_before`] },
  {
    mae: `${mae}.*.attn.qkv`,
    transformers: ['query', 'key', 'value'].map((one) => `${transformers}.*.attention.attention.${one}`),
  },
  { mae: `${mae}.*.attn.proj`, transformers: [`${transformers}.*.attention.output.dense`] },
  { mae: `${mae}.*.norm2`, transformers: [`${transformers}.*.layernorm_after`] },
  { mae: `${mae}.*.mlp.fc1`, transformers: [`${transformers}.*.intermediate.dense`] },
  { mae: `${mae}.*.mlp.fc2`, transformers: [`${transformers}.*.output.dense`] },
];

/** Of a Vision Transformer; where there is more in a file of transformers, `vit.` stands before them. */
export const ENCODER_NAMES: readonly PartNames[] = [
  { mae: 'cls_token', transformers: ['embeddings.cls_token'] },
  { mae: 'pos_embed', transformers: ['embeddings.position_embeddings'] },
  { mae: 'patch_embed.proj', transformers: ['embeddings.patch_embeddings.projection'] },
  ...blocks('blocks', 'encoder.layer'),
  { mae: 'norm', transformers: ['layernorm'] },
];

/** Of what stands on one: a decoder, or a classifier's last layer. */
export const HEAD_NAMES: readonly PartNames[] = [
  { mae: 'mask_token', transformers: ['decoder.mask_token'] },
  { mae: 'decoder_pos_embed', transformers: ['decoder.decoder_pos_embed'] },
  { mae: 'decoder_embed', transformers: ['decoder.decoder_embed'] },
  ...blocks('decoder_blocks', 'decoder.decoder_layers'),
  { mae: 'decoder_norm', transformers: ['decoder.decoder_norm'] },
  { mae: 'decoder_pred', transformers: ['decoder.decoder_pred'] },
  { mae: 'head', transformers: ['classifier'] },
];

/** The tensor that every encoder has, by its name in MAE and in transformers. */
export const PATCH_WEIGHT = 'patch_embed.proj.weight';
export const TRANSFORMERS_PATCH_WEIGHT = 'embeddings.patch_embeddings.projection.weight';
/** What transformers puts before an encoder's names where something stands on it. */
export const TRANSFORMERS_ENCODER = 'vit.';

/** A tensor's name in MAE, and which part of it a tensor of transformers is, of how many. */
export interface FoundName {
  readonly mae: string;
  readonly part: number;
  readonly parts: number;
}

/**
 * The name in MAE of a tensor of transformers; undefined where MAE has none such. What a block has besides keeps its own name
 * within the block: it is still told as the encoder's.
 */
export function maeName(name: string): FoundName | undefined {
  const inner = name.startsWith(TRANSFORMERS_ENCODER) ? name.slice(TRANSFORMERS_ENCODER.length) : name;
  const { pattern, index, end } = splitName(inner);
  const table = inner === name ? [...ENCODER_NAMES, ...HEAD_NAMES] : ENCODER_NAMES;
  for (const { mae, transformers } of table) {
    const part = transformers.indexOf(pattern);
    if (part >= 0) return { mae: mae.replace('*', index) + end, part, parts: transformers.length };
  }
  // Of masked image modelling: it hides patches in training alone.
  if (inner === 'embeddings.mask_token') return { mae: 'mask_token', part: 0, parts: 1 };
  const rest = /^encoder\.layer\.(\d+\..*)$/.exec(inner)?.[1];
  return rest === undefined ? undefined : { mae: `blocks.${rest}`, part: 0, parts: 1 };
}

/**
 * The names in transformers of a tensor of MAE, in the order in which they are joined; undefined where it has none.
 *
 * @param encoder what stands before the encoder's names: `vit.`, or nothing where it is alone
 */
export function transformersNames(name: string, encoder: '' | typeof TRANSFORMERS_ENCODER): string[] | undefined {
  const { pattern, index, end } = splitName(name);
  const named = (prefix: string, table: readonly PartNames[]): string[] | undefined =>
    table.find(({ mae }) => mae === pattern)?.transformers.map((each) => `${prefix}${each.replace('*', index)}${end}`);
  return named(encoder, ENCODER_NAMES) ?? named('', HEAD_NAMES);
}

/** `blocks.3.norm1.weight` → `blocks.*.norm1`, `3` and `.weight`. */
function splitName(name: string): { readonly pattern: string; readonly index: string; readonly end: string } {
  const end = /\.(weight|bias)$/.exec(name)?.[0] ?? '';
  const stem = name.slice(0, name.length - end.length);
  const index = /\.(\d+)\./.exec(stem)?.[1] ?? '';
  return { pattern: stem.replace(/\.\d+\./, '.*.'), index, end };
}
