import { Graph } from '../src/tensor/graph';
import type { Engine } from '../src/engine/engine';
import { roundToHalf } from '../src/tensor/half';
import { sizeOf, type Shape } from '../src/tensor/shape';
import { takesGradients, type Tensor, type DType } from '../src/tensor/tensor';
import type { KernelTest } from './suite';

/** A float64 array with its shape: what references compute on. */
export interface Reference {
  readonly shape: Shape;
  readonly data: Float64Array;
}

export type References = Readonly<Record<string, Reference>>;

export interface OperationCase<Inputs extends References> {
  readonly name: string;
  /** Inputs that take gradients. */
  readonly inputs: Inputs;
  /** The operation on the engine, from inputs to named outputs. */
  readonly operation: (
    inputs: Readonly<Record<keyof Inputs, Tensor>>,
    graph: Graph,
  ) => Readonly<Record<string, Tensor<DType>>>;
  /** The same in float64, plainly. */
  readonly forward: (inputs: Inputs) => References;
  /** Gradients of Σ_outputs Σ dOutput · output with respect to each input, in float64, plainly. */
  readonly backward: (inputs: Inputs, dOutputs: References) => Readonly<Record<keyof Inputs, Reference>>;
  /**
   * Bound on ‖engine − reference‖ / ‖reference‖. Rounding to f32 gives about 6e-8 an operation; sums of n terms grow it by
   * √n at random. The default leaves room for sums of some hundreds of terms.
   */
  readonly tolerance?: number;
  /**
   * Inputs that lie in f16, on a graph of that precision; where the device has no f16, there is nothing to check. Their
   * numbers must be those of `randomHalf`.
   */
  readonly half?: readonly (keyof Inputs)[];
}

/**
 * Bound for what is rounded to f16 once or twice on its way: each time by at most 2⁻¹¹ of an element, in the mean less. Sums
 * are f32, so that their length does not matter.
 */
export const HALF_TOLERANCE = 2 ** -10;

const DEFAULT_TOLERANCE = 2e-6;

/** Deterministic numbers in [−1, 1), rounded to f32 so that engine and reference start from the same. */
export function random(shape: Shape, seed: number): Reference {
  let state = (seed * 2654435761) >>> 0 || 1;
  const data = new Float64Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    data[i] = Math.fround((state >>> 0) / 2 ** 31 - 1);
  }
  return { shape, data };
}

/** The same, rounded to f16. */
export function randomHalf(shape: Shape, seed: number): Reference {
  return { shape, data: random(shape, seed).data.map(roundToHalf) };
}

export function zeros(shape: Shape): Reference {
  return { shape, data: new Float64Array(sizeOf(shape)) };
}

/** Throws where ‖actual − expected‖ > tolerance · ‖expected‖; where expected is all zero, actual must be too. */
export function expectClose(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  if (actual.length !== expected.length) throw new Error(`${what}: ${actual.length} elements, not ${expected.length}`);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    const wanted = expected[i] as number;
    difference += (Number(actual[i]) - wanted) ** 2;
    norm += wanted ** 2;
  }
  const error = Math.sqrt(difference);
  if (!(error <= tolerance * Math.sqrt(norm))) {
    const relative = norm > 0 ? error / Math.sqrt(norm) : error;
    throw new Error(`${what}: relative error ${relative.toExponential(2)}, allowed ${tolerance.toExponential(2)}`);
  }
}

/**
 * The checks of one operation on one set of inputs: the reference's gradient against central differences, the engine's
 * outputs and gradients against the reference, and its gradients again where there is one already to add to.
 */
export function operationTest<Inputs extends References>(test: OperationCase<Inputs>): KernelTest {
  // No engine has a part in it, and it takes longer than some engines do: it is made once for all.
  let wanted: Wanted<Inputs> | undefined;
  const run = async (engine: Engine): Promise<void> => {
    if (test.half && !engine.hasHalf) return;
    await checkEngine(engine, test, (wanted ??= referenceOf(test)));
  };
  return { name: `${test.name}${test.half ? ', f16' : ''}`, run };
}

/** What an engine must give. */
interface Wanted<Inputs extends References> {
  readonly outputs: References;
  /** Random weights on the outputs: a part of the gradient that is missing can't cancel. */
  readonly dOutputs: References;
  readonly gradients: Readonly<Record<keyof Inputs, Reference>>;
}

function referenceOf<Inputs extends References>(test: OperationCase<Inputs>): Wanted<Inputs> {
  const outputs = test.forward(test.inputs);
  const dOutputs = mapReferences(outputs, ({ shape }, index) => (test.half ? randomHalf : random)(shape, 1000 + index));
  const gradients = test.backward(test.inputs, dOutputs);
  checkByDifferences(test, dOutputs, gradients);
  return { outputs, dOutputs, gradients };
}

function mapReferences(values: References, map: (value: Reference, index: number) => Reference): References {
  return Object.fromEntries(Object.entries(values).map(([name, value], index) => [name, map(value, index)]));
}

/** Central differences in float64 at up to 12 elements an input: h² + 1e-16/h is about 1e-10 at h = 1e-5. */
function checkByDifferences<Inputs extends References>(
  { inputs, forward }: OperationCase<Inputs>,
  dOutputs: References,
  gradients: Readonly<Record<keyof Inputs, Reference>>,
): void {
  const h = 1e-5;
  const objective = (at: Inputs): number => {
    let sum = 0;
    for (const [output, { data }] of Object.entries(forward(at))) {
      const weights = dOutputs[output]?.data ?? [];
      data.forEach((value, i) => (sum += value * (weights[i] ?? 0)));
    }
    return sum;
  };
  for (const [input, { shape, data }] of Object.entries(inputs)) {
    const gradient = gradients[input];
    if (!gradient) throw new Error(`the reference gives no gradient of ${input}`);
    const scale = Math.sqrt(gradient.data.reduce((sum, value) => sum + value ** 2, 0) / gradient.data.length);
    const step = Math.max(1, Math.floor(data.length / 12));
    for (let i = 0; i < data.length; i += step) {
      const shifted = (by: number): Inputs => {
        const copy = data.slice();
        copy[i] = (copy[i] as number) + by;
        return { ...inputs, [input]: { shape, data: copy } };
      };
      const measured = (objective(shifted(h)) - objective(shifted(-h))) / (2 * h);
      const stated = gradient.data[i] as number;
      if (!(Math.abs(measured - stated) <= 1e-6 * (scale + Math.abs(stated)) + 1e-9)) {
        throw new Error(`the reference's own gradient of ${input}[${i}] is ${stated}, measured ${measured}`);
      }
    }
  }
}

async function checkEngine<Inputs extends References>(
  engine: Engine,
  { inputs, operation, half, tolerance = half ? HALF_TOLERANCE : DEFAULT_TOLERANCE }: OperationCase<Inputs>,
  wanted: Wanted<Inputs>,
): Promise<void> {
  for (const passes of [1, 2]) {
    const graph = new Graph(engine, { precision: half ? 'f16' : 'f32' });
    const tensors = Object.fromEntries(
      Object.entries(inputs).map(([input, { shape, data }]) => [
        input,
        graph.input(input, shape, half?.includes(input) ? 'f16' : 'f32', Float32Array.from(data), true),
      ]),
    ) as Record<keyof Inputs, Tensor>;
    let outputs: Readonly<Record<string, Tensor<DType>>> = {};
    // The second pass finds gradients in place and must add to them.
    for (let pass = 0; pass < passes; pass++) {
      outputs = operation(tensors, graph);
      for (const [output, tensor] of Object.entries(outputs)) {
        const weights = wanted.dOutputs[output];
        if (!weights) throw new Error(`the reference has no output ${output}`);
        if (takesGradients(tensor)) {
          graph.backward(
            tensor,
            graph.input(`d ${output}`, weights.shape, tensor.dtype, Float32Array.from(weights.data)),
          );
        }
      }
    }
    const found = Object.fromEntries(
      Object.keys(inputs).map((input) => [input, graph.gradientOf(tensors[input] as Tensor)]),
    );
    graph.output(...Object.values(outputs), ...Object.values(found));
    const program = await graph.compile();
    try {
      program.run();
      for (const [output, reference] of Object.entries(wanted.outputs)) {
        const tensor = outputs[output];
        if (!tensor) throw new Error(`the operation has no output ${output}`);
        expectClose(output, await program.read(tensor), reference.data, tolerance);
      }
      for (const [input, tensor] of Object.entries(found)) {
        const reference = (wanted.gradients[input] as Reference).data.map((value) => value * passes);
        expectClose(`gradient of ${input}, pass ${passes}`, await program.read(tensor), reference, tolerance);
      }
    } finally {
      program.dispose();
    }
  }
}
