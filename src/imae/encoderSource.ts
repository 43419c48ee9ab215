import { tensorFloat32 } from '../files/safetensors';
import { fittingTensor } from './checkpoint';
import type { ModelSize } from './config';
import { maeSpecs } from './mae';
import { describeModel } from './modelFile';
import type { Normalisation } from './normalisation';
import type { NamedFile } from './run';

/** An encoder as a file holds it: all that features need to be computed by it. */
export interface EncoderSource {
  readonly size: ModelSize;
  readonly normalisation: Normalisation;
  /** What it was trained as and for how long, where the file says so. */
  readonly phase?: string;
  readonly step?: number;
  /** The elements of one of its parameters. @throws UserError where it has none of that name and shape */
  values(name: string, shape: readonly number[]): Float32Array;
}

/** @throws UserError where the file is no model, or does not say all of it */
export function readEncoder({ name: source, file }: NamedFile): EncoderSource {
  const { size, normalisation, phase, step } = describeModel(file, source);
  return {
    size,
    normalisation,
    ...(phase === undefined ? {} : { phase }),
    ...(step === undefined ? {} : { step }),
    values: (name, shape) => tensorFloat32(fittingTensor(file, name, shape, source)),
  };
}

/** The parameters of an MAE that belong to its encoder: those that do not serve the decoder. */
export function encoderSpecs(size: ModelSize): ReturnType<typeof maeSpecs> {
  return maeSpecs(size, 1).filter(({ name }) => !/^(mask_token|decoder_)/.test(name));
}
