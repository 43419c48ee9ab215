import { choice, integer, nullable, number } from '../../imae/config/optionKinds';
import type { ModelOverrides } from '../../imae/checkpoint/modelFile';
import { commandOption, type ValuesOf } from './command';

/** Options by which a user says what a published model's file does not. */
export const MODEL_FLAGS = {
  heads: commandOption(
    nullable(integer({ min: 1 }), 'auto'),
    null,
    "heads of the model's encoder, where its file does not say",
  ),
  'decoder-heads': commandOption(nullable(integer({ min: 1 }), 'auto'), null, "heads of the model's decoder, likewise"),
  'layer-norm-eps': commandOption(
    nullable(number({ above: 0 }), 'auto'),
    null,
    "ε of the model's layer norms, likewise (MAE's 1e-6, transformers' mostly 1e-12)",
  ),
  'norm-pix': commandOption(
    choice('auto', 'yes', 'no'),
    'auto',
    'whether the model predicts patches normalised by their own mean and deviation (published: ….full.pth yes, mae_visualize_….pth no)',
  ),
};

/** What the user says. */
export function modelOverrides(values: ValuesOf<typeof MODEL_FLAGS>): ModelOverrides {
  const { heads, 'decoder-heads': decoderHeads, 'layer-norm-eps': layerNormEps, 'norm-pix': normPix } = values;
  return {
    ...(heads === null ? {} : { heads }),
    ...(decoderHeads === null ? {} : { decoderHeads }),
    ...(layerNormEps === null ? {} : { layerNormEps }),
    ...(normPix === 'auto' ? {} : { normPix: normPix === 'yes' }),
  };
}
