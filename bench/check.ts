import type { Engine } from '../src/gpu/engine';
import type { Shape } from '../src/tensor/shape';
import { expectClose, random, type Reference } from '../kernels-test/allclose';
import type { BenchCase, Recorded } from './bench';
import { elementsOf } from './rowSampling';

const TOLERANCE = 2e-6;

/** What a case computes on. */
export function inputReferences({ inputs }: BenchCase): Record<string, Reference> {
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
export async function checkCase(engine: Engine, test: BenchCase, record: () => Recorded): Promise<void> {
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
