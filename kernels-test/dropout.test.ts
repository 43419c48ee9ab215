import * as purposes from '../src/data/purposes';
import type { Engine } from '../src/engine/engine';
import { add } from '../src/ops/add';
import { dropout } from '../src/ops/dropout';
import { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { expectClose, random } from './allclose';
import { DROPOUT, scalesOf } from './dropout.reference';
import { suite, type KernelTest } from './suite';

/** Forward and backward of two dropouts one after another, over several runs. */
function runsTest(count: number, p: number, seed: number, firstStep: number): KernelTest {
  return {
    name: `${count} elements, p = ${p}, seed ${seed}, from run ${firstStep}`,
    run: async (engine) => {
      const graph = new Graph(engine, { seed, firstStep, training: true });
      const [given, weights] = [random([count], 1).data, random([count], 2).data];
      const x = graph.input('x', [count], 'f32', Float32Array.from(given), true);
      const first = dropout(x, p);
      const y = dropout(first, p);
      graph.backward(y, graph.input('dy', [count], 'f32', Float32Array.from(weights)));
      const dx = graph.gradientOf(x);
      graph.output(first, y, dx);
      const program = await graph.compile();
      for (let run = 0; run < 3; run++) {
        program.run();
        const step = firstStep + run;
        const [a, b] = [0, 1].map((index) => scalesOf(count, p, { seed, step, index }));
        const scale = (i: number): number => (a?.[i] ?? NaN) * (b?.[i] ?? NaN);
        expectClose(
          `first of run ${run}`,
          await program.read(first),
          given.map((value, i) => value * (a?.[i] ?? NaN)),
          1e-6,
        );
        expectClose(
          `y of run ${run}`,
          await program.read(y),
          given.map((value, i) => value * scale(i)),
          1e-6,
        );
        expectClose(
          `dx of run ${run}`,
          await program.read(dx),
          weights.map((value, i) => value * scale(i)),
          1e-6,
        );
      }
      program.dispose();
    },
  };
}

const bits = async (engine: Engine, make: (x: Tensor, graph: Graph) => Tensor, seed = 1): Promise<string> => {
  const graph = new Graph(engine, { seed, training: true });
  const x = graph.input('x', [65], 'f32', Float32Array.from(random([65], 1).data), true);
  const y = make(x, graph);
  graph.backward(y, graph.input('dy', [65], 'f32', new Float32Array(65).fill(1)));
  const dx = graph.gradientOf(x);
  graph.output(y, dx);
  const program = await graph.compile();
  program.run();
  program.run();
  const found = [...(await program.read(y)), ...(await program.read(dx))].join();
  program.dispose();
  return found;
};

const expectSame = (what: string, same: boolean): void => {
  if (!same) throw new Error(what);
};

export default suite('dropout', [
  runsTest(1, 0.5, 0, 0),
  runsTest(3, 0.25, 1, 0),
  runsTest(65, 0.5, 2 ** 40 + 3, 0),
  runsTest(1027, 0.1, 7, 1000),
  {
    name: 'keeps its share of many, and all or none where p says so',
    run: async (engine) => {
      const graph = new Graph(engine, { seed: 5, training: true });
      const count = 100_000;
      const x = graph.input('x', [count], 'f32', new Float32Array(count).fill(1));
      const [some, none, all] = [dropout(x, 0.3), dropout(x, 1), dropout(x, 0)] as const;
      expectSame('p = 0 is x itself', all === x);
      graph.output(some, none);
      const program = await graph.compile();
      program.run();
      const kept = (await program.read(some)).filter((value) => value !== 0).length;
      // Four deviations of a binomial: √(0.3 · 0.7 · 100,000) = 145.
      expectSame(`${kept} are kept`, Math.abs(kept - 0.7 * count) < 4 * 145);
      expectSame(
        'p = 1 keeps none',
        (await program.read(none)).every((value) => value === 0),
      );
      program.dispose();
    },
  },
  {
    name: 'is off where the program does not train',
    run: async (engine) => {
      const graph = new Graph(engine, { training: false });
      const x = graph.input('x', [3]);
      expectSame('x itself', dropout(x, 0.5) === x);
    },
  },
  {
    name: 'same seed, same bits; inside a checkpoint too; another seed, others',
    run: async (engine) => {
      const twice = (x: Tensor): Tensor => dropout(add(dropout(x, 0.5), x), 0.25);
      const first = await bits(engine, twice);
      expectSame('again', (await bits(engine, twice)) === first);
      const checkpointed = await bits(engine, (x, graph) => graph.checkpoint('twice', () => twice(x)));
      expectSame('in a checkpoint', checkpointed === first);
      expectSame('of another seed', (await bits(engine, twice, 2)) !== first);
      const two = (x: Tensor, graph: Graph): Tensor => graph.checkpoint('a', () => dropout(x));
      const after = await bits(engine, (x, graph) => dropout(two(x, graph)));
      expectSame('after a checkpoint', after === (await bits(engine, (x) => dropout(dropout(x)))));
    },
  },
  {
    name: 'draws for a purpose of its own',
    run: async () => expectSame('the purpose', new Set<number>([purposes.dropout]).has(DROPOUT)),
  },
]);
