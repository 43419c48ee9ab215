import type { Engine } from '../src/engine/engine';
import type { Graph } from '../src/tensor/graph';
import type { Shape } from '../src/tensor/shape';
import type { Tensor, DType } from '../src/tensor/tensor';
import { expectClose, random, type Reference, type References } from '../kernels-test/allclose';
import { elementsOf } from './rowSampling';

const TOLERANCE = 2e-6;

/** What of a case is compared. */
export interface CheckedCase {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** The operation's reference in float64; where all of it takes too long, some of its elements (`rowSampling.ts`). */
  readonly forward: (inputs: never) => References;
  /** The reference of the gradients. Where set, forward and backward are checked and timed together. */
  readonly backward?: (inputs: never, dOutputs: References) => References;
  readonly tolerance?: number;
}

/** What a graph of a case holds: of each repeat, outputs and gradients by name. */
export interface Recorded {
  readonly graph: Graph;
  readonly outputs: readonly Readonly<Record<string, Tensor<DType>>>[];
}

/** What a case computes on. */
export function inputReferences({ inputs }: CheckedCase): Record<string, Reference> {
  return Object.fromEntries(Object.entries(inputs).map(([name, shape], index) => [name, random(shape, index + 1)]));
}

/**
 * The gradient that comes from above an output: random, so that a part which is missing can't cancel, and other than the
 * inputs.
 */
export function upstream(output: string, shape: Shape): Reference {
  return random(shape, 1000 + output.length);
}

/**
 * Runs a case once and compares what it gives with its reference, its gradients, too.
 *
 * @throws Error that names the output that differs
 */
export async function checkCase(engine: Engine, test: CheckedCase, record: () => Recorded): Promise<void> {
  const { graph, outputs } = record();
  const [results = {}] = outputs;
  const program = await graph.compile();
  try {
    program.run();
    const inputs = inputReferences(test) as never;
    const wanted: Record<string, Reference> = { ...test.forward(inputs) };
    if (test.backward) {
      const dOutputs = Object.fromEntries(
        Object.keys(wanted).map((name) => [name, upstream(name, results[name]?.shape ?? [])]),
      );
      for (const [name, gradient] of Object.entries(test.backward(inputs, dOutputs))) wanted[`d ${name}`] = gradient;
    }
    for (const [name, reference] of Object.entries(wanted)) {
      const result = results[name];
      if (!result) throw new Error(`no output ${name}`);
      const found = await program.read(result);
      expectClose(name, elementsOf(found, reference), reference.data, test.tolerance ?? TOLERANCE);
    }
  } finally {
    program.dispose();
    await engine.settle();
  }
}
