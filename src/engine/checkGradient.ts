import { EngineError } from '../gpu/errors';
import { RandomStream } from '../data/philox';
import * as purposes from '../data/purposes';
import { sizeOf, type Shape } from '../tensor/shape';
import { Tensor, takesGradients, type DType } from '../tensor/tensor';
import type { CompiledProgram } from './compiledProgram';
import type { Engine } from './engine';
import { f32, type Input } from './inputs';

/** Values in float64, in row-major order. */
export interface ReferenceValues {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** What `checkGradient` may be told: a reference, and how values are drawn. */
export interface CheckOptions<K extends string> {
  /** The same operation in float64, plainly: `{ shape, data }` by the names of outputs (of a single tensor: `y`). */
  readonly reference?: (inputs: Readonly<Record<K, ReferenceValues>>) => Readonly<Record<string, ReferenceValues>>;
  /** Values are drawn uniformly between these; −1 and 1 by default. */
  readonly range?: readonly [low: number, high: number];
  readonly seed?: number;
}

/** What an operation returns: a tensor, or tensors by name. */
type Made = Tensor<DType> | Readonly<Record<string, Tensor<DType>>>;

/** Elements of each input that are moved, at most. */
const PROBES = 12;
/** Roundings of f32 that values may be off by, as a share of the norm: sums of some hundreds of terms. */
const VALUE_TOLERANCE = 2e-6;
/**
 * How far inputs are moved, and the share of the gradient's largest element that it may be off by. In f32, where a difference
 * of two sums is off by some 1e-7 of them, and by the third derivative times h²/6; in float64 both are far less.
 */
const ENGINE = { step: 2 ** -6, tolerance: 2e-2 };
const REFERENCE = { step: 1e-5, tolerance: 1e-5 };

/**
 * Checks the gradients of an operation: those of Σ w·y, with y its outputs and w random, against central differences in each of
 * up to 12 elements of every input. Differences are taken of the reference in float64 where there is one, which then also
 * checks values; else of the operation itself.
 *
 * @param operation from f32 tensors by name to a tensor, or to tensors by name: what `defineOperation` gives, or a function
 * @param shapes of its inputs, by name
 * @throws EngineError `wrong-gradient`, `wrong-value`: which element of which tensor, found and expected
 */
export async function checkGradient<K extends string>(
  engine: Engine,
  operation: (inputs: Readonly<Record<K, Tensor<'f32'>>>) => Made,
  shapes: Readonly<Record<K, Shape>>,
  options: CheckOptions<K> = {},
): Promise<void> {
  const { range: [low, high] = [-1, 1], seed = 0, reference } = options;
  const stream = RandomStream.at(seed, purposes.init, 0);
  const draw = (shape: Shape, from: number, to: number): Float32Array =>
    Float32Array.from({ length: sizeOf(shape) }, () => from + (to - from) * stream.uniform());
  const names = Object.keys(shapes) as K[]; // its keys, by its type
  const values = new Map(names.map((name) => [name, draw(shapes[name], low, high)]));
  const made = recordOutputs(engine, operation, shapes);
  const weights = new Map(made.map(([name, shape]) => [name, draw(shape, -1, 1)]));
  const program = await compileChecked(engine, operation, shapes, weights);
  try {
    const run = async (): Promise<void> => program.run(Object.fromEntries([...values, ...weighted(weights)]));
    await run();
    const { outputs, gradients } = program.outputs;
    const found = new Map<K, Float32Array>();
    for (const name of names) found.set(name, (await gradients[name]?.data()) as Float32Array); // one for each input
    const inFloat64 = (): Readonly<Record<K, ReferenceValues>> =>
      Object.fromEntries(
        names.map((name) => [name, { shape: shapes[name], data: Float64Array.from(values.get(name) ?? []) }]),
      ) as Record<K, ReferenceValues>;
    if (reference) {
      const wanted = reference(inFloat64());
      for (const [name] of made) assertClose(name, (await outputs[name]?.data()) ?? [], wanted[name]?.data);
    }
    const objective = async (moved: {
      readonly name: K;
      readonly at: number;
      readonly by: number;
    }): Promise<number> => {
      if (reference) {
        const inputs = inFloat64();
        (inputs[moved.name].data[moved.at] as number) += moved.by;
        const results = reference(inputs);
        return dot([...weights].map(([name, weight]) => [weight, results[name]?.data ?? []]));
      }
      const own = values.get(moved.name) as Float32Array; // one for each input
      const before = own[moved.at] as number;
      own[moved.at] = before + moved.by;
      await run();
      own[moved.at] = before;
      const results = await Promise.all(
        [...weights].map(async ([name, weight]) => [weight, await outputs[name]?.data()]),
      );
      return dot(results.map(([weight, result]) => [weight ?? [], result ?? []]));
    };
    for (const [name, gradient] of found) {
      await probe(name, gradient, reference ? REFERENCE : ENGINE, (at, by) => objective({ name, at, by }));
    }
  } finally {
    program.dispose();
  }
}

/** Outputs by name. */
function byName(made: Made): Readonly<Record<string, Tensor<DType>>> {
  return made instanceof Tensor ? { y: made } : made;
}

const weighted = (weights: ReadonlyMap<string, Float32Array>): [string, Float32Array][] =>
  [...weights].map(([name, weight]) => [`weight of ${name}`, weight]);

function inputsOf<K extends string>(shapes: Readonly<Record<K, Shape>>): Record<string, Input<'f32'>> {
  return Object.fromEntries(
    Object.entries<Shape>(shapes).map(([name, shape]) => [name, { ...f32(...shape), requiresGrad: true }]),
  );
}

/** Names and shapes of what takes gradients of all that an operation makes. */
function recordOutputs<K extends string>(
  engine: Engine,
  operation: (inputs: Readonly<Record<K, Tensor<'f32'>>>) => Made,
  shapes: Readonly<Record<K, Shape>>,
): [name: string, shape: Shape][] {
  let made: [string, Shape][] = [];
  engine.record(inputsOf(shapes), (inputs) => {
    const outputs = byName(operation(inputs as Readonly<Record<K, Tensor<'f32'>>>)); // made of the same names
    made = Object.entries(outputs).flatMap(([name, tensor]) => (takesGradients(tensor) ? [[name, tensor.shape]] : []));
  });
  if (made.length > 0) return made;
  throw new EngineError('wrong-gradient', 'No output of the operation takes gradients.', 'Give it a backward.');
}

interface Checked {
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly gradients: Readonly<Record<string, Tensor>>;
}

function compileChecked<K extends string>(
  engine: Engine,
  operation: (inputs: Readonly<Record<K, Tensor<'f32'>>>) => Made,
  shapes: Readonly<Record<K, Shape>>,
  weights: ReadonlyMap<string, Float32Array>,
): Promise<CompiledProgram<Record<string, Input<'f32'>>, Checked>> {
  const given: Record<string, Input<'f32'>> = inputsOf(shapes);
  for (const [name, weight] of weighted(weights)) given[name] = f32(weight.length);
  const names = Object.keys(shapes);
  return engine.compile(given, (inputs, program): Checked => {
    const outputs: Record<string, Tensor> = {};
    const own = Object.fromEntries(names.map((name) => [name, inputs[name]])) as Record<K, Tensor<'f32'>>; // without weights
    for (const [name, tensor] of Object.entries(byName(operation(own)))) {
      const weight = inputs[`weight of ${name}`];
      if (!takesGradients(tensor) || !weight) continue;
      outputs[name] = tensor;
      program.backward(tensor, weight.reshape(tensor.shape));
    }
    const gradients = Object.fromEntries(names.map((name) => [name, program.gradientOf(inputs[name] as Tensor)]));
    return { outputs, gradients };
  });
}

function dot(pairs: readonly (readonly [ArrayLike<number>, ArrayLike<number>])[]): number {
  let sum = 0;
  for (const [a, b] of pairs) for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

async function probe(
  name: string,
  gradient: Float32Array,
  { step, tolerance }: typeof ENGINE,
  objective: (at: number, by: number) => Promise<number>,
): Promise<void> {
  const scale = gradient.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const stride = Math.max(1, Math.floor(gradient.length / PROBES));
  for (let at = 0; at < gradient.length; at += stride) {
    const measured = ((await objective(at, step)) - (await objective(at, -step))) / (2 * step);
    const found = gradient[at] as number;
    if (Math.abs(found - measured) <= tolerance * Math.max(scale, Math.abs(measured))) continue;
    throw new EngineError(
      'wrong-gradient',
      `The gradient of ${name}[${at}] is ${found}, by differences ${measured.toPrecision(6)}.`,
      'Mend the backward, or move the range away from kinks.',
    );
  }
}

function assertClose(name: string, found: ArrayLike<number>, wanted: Float64Array | undefined): void {
  if (wanted?.length !== found.length) {
    const what = wanted
      ? `The reference gives ${wanted.length} elements of output '${name}', which has ${found.length}.`
      : `The reference gives no { shape, data } for output '${name}'.`;
    const fix = `Let it return { ${name}: { shape, data } }, with a Float64Array of all elements, for every output.`;
    throw new EngineError('wrong-value', what, fix);
  }
  const norm = Math.sqrt(wanted.reduce((sum, value) => sum + value ** 2, 0));
  let worst = 0;
  for (let i = 1; i < found.length; i++) {
    const [one, best] = [i, worst].map((at) => Math.abs((found[at] as number) - (wanted[at] as number))) as [
      number,
      number,
    ];
    if (!(one <= best)) worst = i;
  }
  const difference = Math.abs((found[worst] as number) - (wanted[worst] as number));
  if (found.length === 0 || difference <= VALUE_TOLERANCE * norm) return;
  throw new EngineError(
    'wrong-value',
    `${name}[${worst}] is ${found[worst] ?? 0}, by the reference ${wanted[worst]?.toPrecision(8) ?? 0}.`,
    'Mend the forward kernel, or the reference.',
  );
}
