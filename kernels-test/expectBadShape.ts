import { EngineError } from '../src/gpu/errors';
import { Graph } from '../src/tensor/graph';
import type { KernelTest } from './suite';

/** Checks that an operation refuses operands with `bad-shape` and a message that says `words`. */
export function refusalTest(name: string, words: string, operation: (graph: Graph) => unknown): KernelTest {
  return {
    name: `refuses ${name}`,
    run: async (engine) => {
      try {
        operation(new Graph(engine));
      } catch (error) {
        if (error instanceof EngineError && error.code === 'bad-shape' && error.message.includes(words)) return;
        throw error;
      }
      throw new Error(`${name}: not refused`);
    },
  };
}
