import { RandomStream } from '../data/philox';
import { storedTensor, type StoredTensor } from '../formats/safetensors';

/*
 * A tiny masked autoencoder for tests, the same numbers under MAE's names and under transformers', each name written down as
 * the libraries' code has it: 16 × 16 pixels, patches of 8, encoder 12-2-3, decoder 8-1-2.
 */

const [DIM, DECODER_DIM, PATCH, PLACES] = [12, 8, 8, 5];

/** `config.json` of it, as transformers writes it. */
export const TINY_CONFIG = {
  architectures: ['ViTMAEForPreTraining'],
  attention_probs_dropout_prob: 0.0,
  decoder_hidden_size: DECODER_DIM,
  decoder_intermediate_size: 4 * DECODER_DIM,
  decoder_num_attention_heads: 2,
  decoder_num_hidden_layers: 1,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0.0,
  hidden_size: DIM,
  image_size: 16,
  initializer_range: 0.02,
  intermediate_size: 4 * DIM,
  layer_norm_eps: 1e-12,
  mask_ratio: 0.5,
  model_type: 'vit_mae',
  norm_pix_loss: true,
  num_attention_heads: 3,
  num_channels: 3,
  num_hidden_layers: 2,
  patch_size: PATCH,
  qkv_bias: true,
  torch_dtype: 'float32',
  transformers_version: '4.40.0',
};

/** `preprocessor_config.json` of it. */
export const TINY_PREPROCESSOR = {
  do_normalize: true,
  do_rescale: true,
  do_resize: true,
  image_mean: [0.5, 0.4, 0.3],
  image_processor_type: 'ViTImageProcessor',
  image_std: [0.5, 0.25, 0.125],
  rescale_factor: 0.00392156862745098,
  size: { height: 16, width: 16 },
};

/** Its tensors, by the names of both. */
export interface TinyMae {
  readonly mae: Map<string, StoredTensor>;
  readonly transformers: Map<string, StoredTensor>;
}

export function tinyMae(): TinyMae {
  const [mae, transformers] = [new Map<string, StoredTensor>(), new Map<string, StoredTensor>()];
  const stream = RandomStream.at(7, 1, 0);
  const draw = (shape: readonly number[]): Float32Array =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.fround(stream.uniform() - 0.5));
  const add = (name: string, other: string, ...shape: number[]): void => {
    const tensor = storedTensor(shape, draw(shape));
    mae.set(name, tensor);
    transformers.set(other, tensor);
  };
  const both = (name: string, other: string, outputs: number, ...inputs: number[]): void => {
    add(`${name}.weight`, `${other}.weight`, outputs, ...inputs);
    add(`${name}.bias`, `${other}.bias`, outputs);
  };
  const block = (name: string, other: string, dim: number): void => {
    both(`${name}.norm1`, `${other}.layernorm_before`, dim);
    for (const [end, ...inputs] of [['weight', dim] as const, ['bias'] as const]) {
      const parts = [0, 1, 2].map(() => draw([dim, ...inputs]));
      mae.set(
        `${name}.attn.qkv.${end}`,
        storedTensor([3 * dim, ...inputs], Float32Array.from(parts.flatMap((part) => [...part]))),
      );
      for (const [index, which] of ['query', 'key', 'value'].entries())
        transformers.set(
          `${other}.attention.attention.${which}.${end}`,
          storedTensor([dim, ...inputs], parts[index] as Float32Array),
        );
    }
    both(`${name}.attn.proj`, `${other}.attention.output.dense`, dim, dim);
    both(`${name}.norm2`, `${other}.layernorm_after`, dim);
    both(`${name}.mlp.fc1`, `${other}.intermediate.dense`, 4 * dim, dim);
    both(`${name}.mlp.fc2`, `${other}.output.dense`, dim, 4 * dim);
  };
  add('cls_token', 'vit.embeddings.cls_token', 1, 1, DIM);
  add('pos_embed', 'vit.embeddings.position_embeddings', 1, PLACES, DIM);
  both('patch_embed.proj', 'vit.embeddings.patch_embeddings.projection', DIM, 3, PATCH, PATCH);
  for (const index of [0, 1]) block(`blocks.${index}`, `vit.encoder.layer.${index}`, DIM);
  both('norm', 'vit.layernorm', DIM);
  add('mask_token', 'decoder.mask_token', 1, 1, DECODER_DIM);
  add('decoder_pos_embed', 'decoder.decoder_pos_embed', 1, PLACES, DECODER_DIM);
  both('decoder_embed', 'decoder.decoder_embed', DECODER_DIM, DIM);
  block('decoder_blocks.0', 'decoder.decoder_layers.0', DECODER_DIM);
  both('decoder_norm', 'decoder.decoder_norm', DECODER_DIM);
  both('decoder_pred', 'decoder.decoder_pred', 3 * PATCH * PATCH, DECODER_DIM);
  return { mae, transformers };
}
