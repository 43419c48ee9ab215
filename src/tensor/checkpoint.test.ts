import { describe, expect, it } from 'vitest';
import { expectClose } from '../../kernels-test/allclose';
import { add } from '../ops/add';
import { expectTensors, input, map, mul, numbers, tapeFixture } from '../testing/tapeFixture';
import { testEngine } from '../testing/testEngine';
import { Graph } from './graph';
import type { Parameter } from './parameter';
import { readTensor, type Tensor } from './tensor';

describe('a checkpoint', () => {
  const fixture = tapeFixture(() => testEngine());

  /** Cubes x and scales it by parameters, in blocks of a few operations each. */
  const chain = (graph: Graph, x: Tensor, scales: readonly Parameter[], keep: (make: () => Tensor) => Tensor): Tensor =>
    scales.reduce(
      (y, scale) =>
        keep(() => {
          const square = mul(graph, y, y);
          return add(mul(graph, mul(graph, square, y), scale), y);
        }),
      x,
    );

  /** The bits of all that a chain of three gives, and what it takes to hold it. */
  async function evaluate(
    keep: (graph: Graph, make: () => Tensor) => Tensor,
    options?: { readonly addToParameters: boolean },
  ): Promise<{ bits: Float32Array[]; live: number; dispatches: number }> {
    const scales = [2, 3, 4].map((seed) => fixture.parameter(`scale ${seed}`, seed));
    const graph = new Graph(fixture.engine, options);
    const x = input(graph, 'x', 1);
    const y = chain(graph, x, [...scales, ...scales.slice(0, 1)], (make) => keep(graph, make));
    graph.backward(mul(graph, y, x), input(graph, 'd', 5, false));
    graph.output(y, graph.gradientOf(x));
    const program = await graph.compile();
    for (let run = 0; run < 2; run++) program.run();
    const bits: Float32Array[] = [];
    for (const tensor of [y, graph.gradientOf(x)]) bits.push(await program.read(tensor));
    for (const { grad } of scales) bits.push(await readTensor(fixture.engine, grad));
    program.dispose();
    const { largestLiveSet: live, dispatches } = program.statistics;
    return { bits, live, dispatches };
  }

  const kept = (_: Graph, make: () => Tensor): Tensor => make();
  const again = (graph: Graph, make: () => Tensor): Tensor => graph.checkpoint('block', make);

  it('gives the same bits from less memory', async () => {
    const [whole, saving] = [await evaluate(kept), await evaluate(again)];
    expect(saving.bits).toEqual(whole.bits);
    expect(saving.live).toBeLessThan(whole.live);
    expect(saving.dispatches).toBeGreaterThan(whole.dispatches);
  });

  it('may lie in another, which forgets it with the rest', async () => {
    const squared = (graph: Graph, x: Tensor): Tensor => mul(graph, x, x);
    const whole = await evaluate((graph, make) => squared(graph, make()));
    const once = await evaluate((graph, make) => graph.checkpoint('outer', () => squared(graph, make())));
    const twice = await evaluate((graph, make) => graph.checkpoint('outer', () => squared(graph, again(graph, make))));
    expect([once.bits, twice.bits]).toEqual([whole.bits, whole.bits]);
    expect(twice.dispatches).toBeGreaterThan(once.dispatches);
  });

  it('adds to gradients that are there already, where asked to', async () => {
    const add2 = { addToParameters: true };
    const [once, twice, twiceAgain] = [await evaluate(kept), await evaluate(kept, add2), await evaluate(again, add2)];
    expect(twiceAgain.bits).toEqual(twice.bits);
    for (const [index, gradient] of twice.bits.slice(2).entries()) {
      // Two runs make twice the gradient, but for a few roundings.
      expectClose(`scale ${index}`, gradient, once.bits[2 + index]?.map((value) => 2 * value) ?? [], 1e-6);
    }
    expect(twice.bits.slice(0, 2)).toEqual(once.bits.slice(0, 2));
  });

  it('of what was there before, or takes no gradient, is none', async () => {
    const graph = new Graph(fixture.engine);
    const [x, w] = [input(graph, 'x', 1), input(graph, 'w', 2, false)];
    const same = graph.checkpoint('nothing', () => x);
    const constant = graph.checkpoint('constant', () => mul(graph, w, w));
    expect([same, constant.requiresGrad]).toEqual([x, false]);
    graph.backward(mul(graph, same, constant), input(graph, 'd', 3, false));
    const expected = map((i) => (numbers(2)[i] as number) ** 2 * (numbers(3)[i] as number));
    await expectTensors(graph, [[graph.gradientOf(x), expected]]);
  });

  it('lets nothing out that gradients would have to come back to', async () => {
    const graph = new Graph(fixture.engine);
    const x = input(graph, 'x', 1);
    let inner: Tensor | undefined;
    const y = graph.checkpoint('block', () => {
      const square = mul(graph, x, x);
      inner ??= square;
      return mul(graph, square, x);
    });
    expect(() => {
      graph.backward(mul(graph, y, inner ?? y), x.detach());
    }).toThrow("'mul' was made inside a checkpoint");
    const other = new Graph(fixture.engine);
    const z = input(other, 'z', 1);
    const loss = mul(other, z, z);
    expect(() =>
      other.checkpoint('block', () => {
        other.backward(loss, z.detach());
        return loss;
      }),
    ).toThrow('a checkpoint is being recorded');
  });
});
