import type { Safetensors } from '../../formats/safetensors';
import type { EncoderSize } from '../config/config';

/* What an encoder's tensors do not tell of it, in the metadata of its file. */

/** ε of layer norms in MAE's code and in timm's Vision Transformers. */
export const MAE_EPS = 1e-6;
/** transformers' default, which published configurations carry. */
export const TRANSFORMERS_EPS = 1e-12;

/** What says of an encoder what its tensors do not. */
export function encoderMetadata({
  heads,
  layerNormEps = MAE_EPS,
}: Pick<EncoderSize, 'heads' | 'layerNormEps'>): Record<string, string> {
  return { heads: String(heads), layerNormEps: String(layerNormEps) };
}

/** ε of a model's layer norms, and what is assumed of it; undefined where the file does not say, which then is of MAE's kind. */
export function layerNormEpsOf({
  layerNormEps,
  names,
}: Safetensors['metadata']): { readonly eps: number; readonly assumed?: string } | undefined {
  const stated = Number(layerNormEps);
  if (layerNormEps !== undefined && stated > 0) return { eps: stated };
  if (names !== 'transformers') return undefined;
  return {
    eps: TRANSFORMERS_EPS,
    assumed: `an ε of ${TRANSFORMERS_EPS} in layer norms, transformers' default, since no config.json is beside it (--layer-norm-eps)`,
  };
}
