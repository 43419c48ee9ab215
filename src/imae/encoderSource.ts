import type { Safetensors } from '../files/safetensors';
import type { Engine } from '../gpu/engine';
import { Parameters } from '../nn/parameters';
import type { Shape } from '../tensor/shape';
import type { Precision } from '../tensor/tensor';
import { loadModel, parameterValues } from './checkpoint';
import { reportLoad, type LoadReport } from './loadReport';
import { encoderSpecs } from './mae';
import { describeEncoder, type EncoderFacts, type Said } from './modelFile';
import type { NamedFile } from './run';

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
 * @param said `image` is the side of the images that it is to be given
 * @throws UserError where the file holds none, or does not say all of it
 */
export function readEncoder({ name: source, file }: NamedFile, said: Pick<Said, 'image' | 'heads'> = {}): EncoderSource {
  const whole = withNorm(file);
  const facts = describeEncoder(whole, source, said);
  const specs = encoderSpecs(facts.size);
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

export interface OpenEncoderOptions extends Pick<Said, 'image' | 'heads'> {
  /** Nothing is trained; yes by default. */
  readonly frozen?: boolean;
  readonly precision?: Precision;
}

/** An encoder on the GPU: give `size` and `parameters` to `encode`. */
export interface OpenedEncoder extends EncoderFacts {
  readonly report: LoadReport;
  /** Whoever opens it disposes of them. */
  readonly parameters: Parameters;
}

/**
 * Opens the encoder of a file of any kind: see `readEncoder`.
 *
 * @throws UserError as `readEncoder`; EngineError where the device has no room for it
 */
export async function openEncoder(
  engine: Engine,
  { name: source, file }: NamedFile,
  { image, heads, frozen = true, precision }: OpenEncoderOptions = {},
): Promise<OpenedEncoder> {
  const whole = withNorm(file);
  const facts = describeEncoder(whole, source, {
    ...(image === undefined ? {} : { image }),
    ...(heads === undefined ? {} : { heads }),
  });
  const specs = encoderSpecs(facts.size);
  const parameters = new Parameters(engine, source, specs, { frozen, ...(precision ? { precision } : {}) });
  try {
    loadModel({ parameters }, whole, source);
    await parameters.updateHalves();
    await engine.settle();
    return { ...facts, report: reportLoad(file, specs), parameters };
  } catch (error) {
    parameters.dispose();
    throw error;
  }
}
