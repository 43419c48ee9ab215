import type { Engine } from '../src/engine/engine';
import { recordFill } from '../src/ops/stridedCopy';
import { Graph } from '../src/tensor/graph';
import { findDifference, perturb } from '../src/tensor/kernelComparison';
import type { HostData } from '../src/tensor/tensor';
import { random, randomHalf } from './allclose';
import { suite, type KernelTest } from './suite';

const [UNIT, SHIFT] = [2 ** -10, 2 ** -9];
/** Of f16, what is below counts as 0. */
const TINY = { f32: 2 ** -126, f16: 2 ** -14 };

const bits = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;

/** What the kernel leaves. @param units of a dispatch each, of which the first that finds something is the last */
async function found(
  engine: Engine,
  dtype: 'f32' | 'f16' | 'u32',
  [x, reference, moved]: readonly [HostData, HostData, HostData],
  count: number,
  units: readonly number[] = [UNIT],
): Promise<readonly number[]> {
  const graph = new Graph(engine);
  const place = { found: graph.empty('found', [16], 'u32'), at: 1 };
  recordFill(graph, place.found, 0);
  const input = graph.input('x', [count], dtype, x);
  const comparison = {
    reference: graph.input('reference', [count], dtype, reference),
    moved: graph.input('moved', [count], dtype, moved),
    shift: SHIFT,
  };
  for (const unit of units) graph.dispatch(findDifference(input, { ...comparison, unit }, place));
  graph.output(place.found);
  const program = await graph.compile();
  try {
    program.run();
    return [...(await program.read(place.found))];
  } finally {
    program.dispose();
  }
}

function expectSame(name: string, is: readonly number[], wanted: readonly number[]): void {
  if (String(is) !== String(wanted)) throw new Error(`${name}: ${String(is)}, not ${String(wanted)}`);
}

/** Some numbers differ by a little more than the bound, all others by a little less. */
function boundTest(dtype: 'f32' | 'f16', count: number, odd: readonly number[]): KernelTest {
  return {
    name: `${dtype}, ${odd.length} of ${count}`,
    run: async (engine: Engine) => {
      // Multiples of 1/16 up to 1, so that all of it is exact in f16 too; the first is the largest.
      const reference = Float32Array.from(random([count], 1).data, (value) => Math.round(16 * value) / 16);
      reference[0] = 1;
      const moved = reference.map((value, i) => (i === count - 1 ? value + 2 ** -5 : value));
      const bound = Math.fround(UNIT * (1 + 2 ** -5 / SHIFT) + TINY[dtype]); // 17/1024, and what is tiny
      const x = reference.map((value, i) => value + (odd.includes(i) ? -18 : 16) / 1024);
      const first = odd[0] ?? 0;
      const what =
        odd.length > 0 ? [odd.length, first, bits(x[first] ?? 0), bits(reference[first] ?? 0), bits(bound)] : [];
      const wanted = Array.from({ length: 16 }, (_, i) => what[i - 8] ?? 0);
      expectSame(
        'found',
        await found(engine, dtype, [x, reference, moved], count, odd.length > 0 ? [UNIT, 0] : [UNIT]),
        wanted,
      );
    },
  };
}

/** What is not finite differs from what is, unless that is nearly too large itself. */
const notFiniteTest: KernelTest = {
  name: 'numbers that are not finite',
  run: async (engine: Engine) => {
    const cases = [
      ...[
        [NaN, NaN, 0],
        [Infinity, NaN, 0],
        [-Infinity, Infinity, 0],
      ],
      ...[
        [NaN, 1, 1],
        [1, NaN, 1],
        [Infinity, 3e38, 1],
        [3e38, Infinity, 1],
        [Infinity, 3.402e38, 0],
      ],
    ] as const;
    for (const [x, reference, count] of cases) {
      const all = [x, reference, reference].map((value) => Float32Array.of(value));
      const [x0, reference0, moved0] = all as [Float32Array, Float32Array, Float32Array];
      const [, , , , , , , , is] = await found(engine, 'f32', [x0, reference0, moved0], 1);
      if (is !== count) throw new Error(`${x} beside ${reference}: ${is ?? ''} differ`);
    }
  },
};

const wholeTest: KernelTest = {
  name: 'whole numbers',
  run: async (engine: Engine) => {
    const reference = Uint32Array.from({ length: 300 }, (_, i) => 0x7fffff00 + i);
    const x = reference.map((value, i) => (i === 270 || i === 290 ? value + 1 : value));
    const is = await found(engine, 'u32', [x, reference, reference], 300);
    expectSame('found', is.slice(8, 10), [2, 270]);
  },
};

/** Each number is moved by a part of itself, up or down about as often; what else there is stays. */
function perturbTest(dtype: 'f32' | 'f16', count: number): KernelTest {
  return {
    name: `perturb: ${count} of ${dtype}`,
    run: async (engine: Engine) => {
      const data = Float32Array.from((dtype === 'f16' ? randomHalf : random)([count], 2).data);
      data.set([0, NaN, Infinity].slice(0, Math.max(0, count - 3)));
      const graph = new Graph(engine);
      const x = graph.input('x', [count], dtype, data);
      const kinds = ['words', dtype, 'zeros'] as const;
      const made = kinds.map((kind) => graph.empty(kind, [count], dtype));
      for (const [i, y] of made.entries())
        graph.dispatch(perturb(x, y, { kind: kinds[i] ?? 'words', shift: 2 ** -8, seed: 7 }));
      graph.output(...made);
      const program = await graph.compile();
      try {
        program.run();
        const [words, moved, zeros] = await Promise.all(made.map((y) => program.read(y)));
        expectSame('words', [...(words ?? [])], [...data]);
        expectSame(
          'zeros',
          [...(zeros ?? [])],
          [...data].map(() => 0),
        );
        let up = 0;
        for (const [i, value] of data.entries()) {
          const ratio = (moved?.[i] ?? 0) / value;
          // f16 rounds by an eighth of the shift.
          if (Math.abs(Math.abs(ratio - 1) * 2 ** 8 - 1) > (dtype === 'f16' ? 0.126 : 1e-4) && i > 2)
            throw new Error(`y[${i}]: ${ratio} of x`);
          if (ratio > 1) up++;
        }
        if (count > 1000 && Math.abs(up / count - 0.5) > 0.05) throw new Error(`${up} of ${count} are moved up`);
      } finally {
        program.dispose();
      }
    },
  };
}

export default suite('differs', [
  ...(['f32', 'f16'] as const).flatMap((dtype) => [
    ...[1, 3, 17, 255, 257, 4097].flatMap((count) => [
      boundTest(dtype, count, []),
      boundTest(dtype, count, [...new Set([Math.floor(count / 2), count - 1])]),
    ]),
    ...[1, 3, 17, 4097].map((count) => perturbTest(dtype, count)),
  ]),
  notFiniteTest,
  wholeTest,
]);
