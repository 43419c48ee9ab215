import { sizeOf } from '../src/tensor/shape';
import { zeros, type Reference, type References } from './allclose';
import { placesOf } from './batchedMatmul.reference';
import * as products from './batchedMatmul.reference';

export type Inputs = { q: Reference; k: Reference; v: Reference };
export type InputsWithBias = Inputs & { bias: Reference };

export interface Options {
  readonly causal?: boolean;
  readonly mask?: Reference;
  readonly scale?: number;
}

const scaleOf = ({ q }: Inputs, { scale }: Options): number => scale ?? 1 / Math.sqrt(q.shape.at(-1) as number);

/** The probabilities of each row's keys; all 0 where a row has none. */
function weightsOf(inputs: Inputs & { bias?: Reference }, options: Options): Reference {
  const { c: scores } = products.forward('nt', { a: inputs.q, b: inputs.k }, scaleOf(inputs, options));
  const { shape, data } = scores;
  const [N, M] = shape.slice(-2) as [number, number];
  const { bias } = inputs;
  const { mask, causal } = options;
  if (bias) placesOf(bias.shape, shape).forEach((at, i) => (data[i] = (data[i] as number) + (bias.data[at] as number)));
  const placesOfMask = mask && placesOf(mask.shape, shape);
  const isOpen = (i: number): boolean =>
    (!causal || i % M <= Math.floor(i / M) % N) && (!mask || mask.data[placesOfMask?.[i] ?? 0] !== 0);
  const terms = data.map((score, i) => (isOpen(i) ? Math.exp(score) : 0));
  const weights = terms.map((term, i) => {
    const first = i - (i % M);
    return term && term / terms.subarray(first, first + M).reduce((sum, one) => sum + one, 0);
  });
  return { shape, data: weights };
}

export function forward(inputs: Inputs & { bias?: Reference }, options: Options): { y: Reference } {
  return { y: products.forward('nn', { a: weightsOf(inputs, options), b: inputs.v }).c };
}

export function backward(inputs: Inputs & { bias?: Reference }, { y }: References, options: Options): InputsWithBias {
  const weights = weightsOf(inputs, options);
  const { a: dWeights, b: v } = products.backward('nn', { a: weights, b: inputs.v }, { c: y as Reference });
  const M = weights.shape.at(-1) as number;
  const dScores = zeros(weights.shape);
  for (let first = 0; first < sizeOf(weights.shape); first += M) {
    let mean = 0;
    for (let i = first; i < first + M; i++) mean += (weights.data[i] as number) * (dWeights.data[i] as number);
    for (let i = first; i < first + M; i++) {
      dScores.data[i] = (weights.data[i] as number) * ((dWeights.data[i] as number) - mean);
    }
  }
  const { a: q, b: k } = products.backward(
    'nt',
    { a: inputs.q, b: inputs.k },
    { c: dScores },
    scaleOf(inputs, options),
  );
  const bias = zeros(inputs.bias?.shape ?? []);
  for (const [i, at] of placesOf(bias.shape, dScores.shape).entries()) {
    bias.data[at] = (bias.data[at] as number) + (dScores.data[i] as number);
  }
  return { q, k, v, bias };
}
