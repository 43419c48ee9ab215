import { sizeOf, type Shape } from '../tensor/shape';

/** Where initial values come from. */
export interface RandomSource {
  /** Uniform on [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
}

/** Draws the first values of a parameter. */
export type Initializer = (shape: Shape, random: RandomSource) => Float32Array;

function drawEach(shape: Shape, draw: () => number): Float32Array {
  return Float32Array.from({ length: sizeOf(shape) }, draw);
}

function uniformWithin(bound: number): Initializer {
  return (shape, random) => drawEach(shape, () => (2 * random.uniform() - 1) * bound);
}

/** Every element 0. */
export const zeros: Initializer = (shape) => new Float32Array(sizeOf(shape));

/** Every element 1. */
export const ones: Initializer = (shape) => new Float32Array(sizeOf(shape)).fill(1);

/** Each element drawn from a normal distribution of mean 0. */
export function normal(deviation: number): Initializer {
  return (shape, random) => drawEach(shape, () => random.normal() * deviation);
}

/**
 * U(±√(6 / (inputs + outputs))) for a weight [outputs, ...inputs], taken as a matrix (Glorot and Bengio 2010).
 */
export const xavierUniform: Initializer = (shape, random) => {
  const [outputs = 1, ...inputs] = shape;
  return uniformWithin(Math.sqrt(6 / (outputs + sizeOf(inputs))))(shape, random);
};

/** U(±1/√fanIn): PyTorch's default for weight and bias of linear layers and convolutions (Kaiming's with a = √5). */
export function fanInUniform(fanIn: number): Initializer {
  return uniformWithin(1 / Math.sqrt(fanIn));
}

/** A table computed, not drawn. */
export function constant(values: Float32Array): Initializer {
  return () => values.slice();
}
