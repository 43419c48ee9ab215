import { describe, expect, it } from 'vitest';
import { expectClose, random } from '../../kernels-test/allclose';
import { add } from '../ops/add';
import { COUNT, input, mul, numbers, tapeFixture } from '../testing/tapeFixture';
import { testEngine } from '../testing/testEngine';
import { Graph } from './graph';
import type { Tensor } from './tensor';

describe('Tape', () => {
  const fixture = tapeFixture(() => testEngine());

  it('agrees with plain reverse mode on random graphs', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const below = generator(seed);
      const graph = new Graph(fixture.engine);
      const leaves = [
        leaf(input(graph, 'x', seed), numbers(seed)),
        leaf(input(graph, 'y', seed + 100), numbers(seed + 100)),
        leaf(fixture.parameter('p', seed + 200), numbers(seed + 200)),
        leaf(input(graph, 'constant', seed + 300, false), numbers(seed + 300)),
      ];
      for (const walk of [0, 1]) {
        const root = randomGraph(graph, leaves, below);
        if (!root.tensor.requiresGrad) continue;
        const weights = random([COUNT], 1000 + 2 * seed + walk);
        graph.backward(root.tensor, graph.input('weights', root.tensor.shape, 'f32', Float32Array.from(weights.data)));
        root.backward(weights.data);
      }
      const reached = leaves.filter(({ gradient }) => gradient);
      expect(reached.length).toBeGreaterThan(0);
      for (const { tensor, gradient } of leaves) {
        if (!gradient) expect(() => graph.gradientOf(tensor), `seed ${seed}: ${tensor.label}`).toThrow();
      }
      graph.output(...reached.map(({ tensor }) => graph.gradientOf(tensor)));
      const program = await graph.compile();
      program.run();
      for (const { tensor, gradient } of reached) {
        // Up to 40 operations of f32, some of which cancel.
        const found = await program.read(graph.gradientOf(tensor));
        expectClose(`seed ${seed}: gradient of ${tensor.label}`, found, gradient ?? [], 1e-5);
      }
      program.dispose();
      fixture.release();
    }
  });
});

/** A tensor, and the same in float64 with its own plain way back. */
interface Twin {
  readonly tensor: Tensor;
  readonly value: Float64Array;
  /** Adds `d` to the gradients of all leaves it depends on: a walk down every path, with no tape and no sharing. */
  backward(d: Float64Array): void;
  gradient?: Float64Array;
}

function leaf(tensor: Tensor, value: Float64Array): Twin {
  const twin: Twin = {
    tensor,
    value,
    backward: (d) => {
      if (!tensor.requiresGrad) return;
      twin.gradient = d.map((x, i) => x + (twin.gradient?.[i] ?? 0));
    },
  };
  return twin;
}

/** Up to 20 operations, each on earlier values; the last one depends on several of them. */
function randomGraph(graph: Graph, leaves: readonly Twin[], below: (limit: number) => number): Twin {
  const twins = [...leaves];
  const pick = (): Twin => twins[below(2) ? below(twins.length) : Math.max(0, twins.length - 1 - below(3))] as Twin;
  const sum = (a: Twin, b: Twin): Twin => ({
    tensor: add(graph.use(a.tensor), b.tensor),
    value: a.value.map((x, i) => x + (b.value[i] as number)),
    backward: (d) => {
      a.backward(d);
      b.backward(d);
    },
  });
  const times = (a: Twin, b: Twin): Twin => ({
    tensor: mul(graph, a.tensor, b.tensor),
    value: a.value.map((x, i) => x * (b.value[i] as number)),
    backward: (d) => {
      a.backward(d.map((x, i) => x * (b.value[i] as number)));
      b.backward(d.map((x, i) => x * (a.value[i] as number)));
    },
  });
  /** a·b + (a·b)·a, of which only the sum is kept. */
  const checkpoint = (a: Twin, b: Twin, nested: boolean): Twin => {
    let twin: Twin | undefined;
    const made = graph.checkpoint('checkpoint', () => {
      const between = nested ? checkpoint(a, b, false) : times(a, b);
      const result = sum(between, times(between, a));
      twin ??= result;
      return result.tensor;
    });
    return { ...(twin as unknown as Twin), tensor: made };
  };
  const operations = 3 + below(10);
  for (let i = 0; i < operations; i++) {
    const [a, b] = [pick(), pick()];
    const shape = [[COUNT], [1, COUNT], [3, 11]][below(3)] as number[];
    const under = ({ tensor, ...rest }: Twin): Twin => ({ ...rest, tensor: tensor.reshape(shape) });
    const kind = below(9);
    if (kind === 8) twins.push(checkpoint(under(a), under(b), below(2) > 0));
    else if (kind === 7) twins.push({ tensor: a.tensor.detach(), value: a.value, backward: () => undefined });
    else twins.push(kind < 4 ? sum(under(a), under(b)) : times(under(a), under(b)));
  }
  const flat = ({ tensor, ...rest }: Twin): Twin => ({ ...rest, tensor: tensor.reshape([COUNT]) });
  return sum(flat(twins.at(-1) as Twin), times(flat(pick()), flat(leaves[0] as Twin)));
}

/** xorshift32: whole numbers below `limit`. */
function generator(seed: number): (limit: number) => number {
  let state = (seed * 2654435761) >>> 0;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}
