import type { Safetensors } from '../../formats/safetensors';
import type { Shape } from '../../tensor/shape';
import { parameterValues } from './checkpoint';
import { reportLoad, type LoadReport } from './loadReport';
import { encoderParameters } from '../model/mae';
import { describeEncoder, type EncoderFacts, type ModelOverrides } from './modelFile';
import type { NamedFile } from './namedFile';

/** An encoder as a file holds it: all that features need to be computed by it. */
export interface EncoderSource extends EncoderFacts {
  /** Which of the file's tensors make up the encoder. */
  readonly report: LoadReport;
  /**
   * The elements of a tensor of the file: a parameter of the encoder (positions are interpolated), or whatever else it
   * has, as a classifier's `head.weight`.
   *
   * @throws UserError where it has none of that name and shape
   */
  readonly values: (name: string, shape: Shape) => Float32Array;
  /** Whether the file has a tensor of that name. */
  readonly has: (name: string) => boolean;
}

/**
 * Finds the encoder in a file of any kind: a model of this program, a published MAE or i-MAE, an encoder alone, or a
 * classifier. One with mean pooling has no `norm` but `fc_norm`, which it applied after the mean; it then stands for both.
 *
 * @param overrides `image` is the side of the images that it is to be given
 * @throws UserError where the file holds none, or does not say all of it
 */
export function readEncoder(
  { name: source, file }: NamedFile,
  overrides: Pick<ModelOverrides, 'image' | 'heads' | 'layerNormEps'> = {},
): EncoderSource {
  const whole = withNorm(file);
  const facts = describeEncoder(whole, source, overrides);
  const specs = encoderParameters(facts.size);
  return {
    ...facts,
    report: reportLoad(file, specs),
    values: (name, shape) => parameterValues(whole, name, shape, source),
    has: (name) => file.tensors.has(name),
  };
}

function withNorm(file: Safetensors): Safetensors {
  if (file.tensors.has('norm.weight')) return file;
  const tensors = new Map(file.tensors);
  for (const part of ['weight', 'bias']) {
    const tensor = file.tensors.get(`fc_norm.${part}`);
    if (tensor) tensors.set(`norm.${part}`, tensor);
  }
  return { ...file, tensors };
}
