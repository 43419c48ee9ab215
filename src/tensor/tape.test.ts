import { describe, expect, it } from 'vitest';
import { expectClose } from '../../kernels-test/allclose';
import { add } from '../ops/add';
import { COUNT, expectTensors, input, map, mul, numbers, tapeFixture } from '../testing/tapeFixture';
import { testEngine } from '../testing/testEngine';
import { Graph } from './graph';
import { readTensor } from './tensor';

describe('Tape', () => {
  const fixture = tapeFixture(() => testEngine());

  it('adds up what flows back to a tensor that is used three times', async () => {
    const graph = new Graph(fixture.engine);
    const x = input(graph, 'x', 1);
    const y = mul(graph, mul(graph, x, x), x);
    graph.backward(y, input(graph, 'd', 2, false));
    const [v, d] = [numbers(1), numbers(2)];
    await expectTensors(graph, [[graph.gradientOf(x), map((i) => 3 * (v[i] as number) ** 2 * (d[i] as number))]]);
  });

  it.each([false, true])('goes back through add(x, x), x an intermediate: %s', async (between) => {
    const graph = new Graph(fixture.engine);
    const [x, w] = [input(graph, 'x', 1), input(graph, 'w', 3, false)];
    const doubled = between ? add(mul(graph, x, w), mul(graph, x, w)) : add(x, x);
    const inner = between ? add(doubled, doubled) : doubled;
    graph.backward(mul(graph, inner, w), input(graph, 'd', 2, false));
    const [dv, wv] = [numbers(2), numbers(3)];
    const factor = between ? (i: number): number => 4 * (wv[i] as number) : (): number => 2;
    const expected = map((i) => factor(i) * (wv[i] as number) * (dv[i] as number));
    await expectTensors(graph, [[graph.gradientOf(x), expected]]);
  });

  it('does not let one taker of a gradient spoil the others', async () => {
    // Residual chain: the gradient of each sum goes to two takers as the same memory, and one of them adds to its own.
    const graph = new Graph(fixture.engine);
    const [x, w, u] = [input(graph, 'x', 1), input(graph, 'w', 2), input(graph, 'u', 3)];
    const first = add(x, mul(graph, x, w));
    const second = add(first, mul(graph, first, u));
    graph.backward(second, input(graph, 'd', 4, false));
    const at = (seed: number) => (i: number) => numbers(seed)[i] as number;
    const [xv, wv, uv, d] = [at(1), at(2), at(3), at(4)];
    await expectTensors(graph, [
      [graph.gradientOf(x), map((i) => d(i) * (1 + uv(i)) * (1 + wv(i)))],
      [graph.gradientOf(w), map((i) => d(i) * (1 + uv(i)) * xv(i))],
      [graph.gradientOf(u), map((i) => d(i) * xv(i) * (1 + wv(i)))],
    ]);
  });

  it('leaves the given gradient as it is', async () => {
    const graph = new Graph(fixture.engine);
    const [x, d] = [input(graph, 'x', 1), input(graph, 'd', 2, false)];
    graph.backward(add(add(x, x), x), d);
    await expectTensors(graph, [
      [graph.gradientOf(x), map((i) => 3 * (numbers(2)[i] as number))],
      [d, numbers(2)],
    ]);
  });

  it('gives tensors that share memory one gradient', async () => {
    const graph = new Graph(fixture.engine);
    const x = input(graph, 'x', 1);
    const column = mul(graph, x.reshape([COUNT, 1]), x.reshape([COUNT, 1]));
    const sum = add(column.reshape([COUNT]), x);
    graph.backward(sum, input(graph, 'd', 2, false));
    const gradient = graph.gradientOf(x.reshape([1, COUNT]));
    expect(gradient.shape).toEqual([1, COUNT]);
    const [v, d] = [numbers(1), numbers(2)];
    await expectTensors(graph, [[gradient, map((i) => (2 * (v[i] as number) + 1) * (d[i] as number))]]);
  });

  it('lets nothing flow back through detach()', async () => {
    const graph = new Graph(fixture.engine);
    const [x, w] = [input(graph, 'x', 1), input(graph, 'w', 2)];
    const inner = mul(graph, x, x);
    graph.backward(mul(graph, inner.detach(), w), input(graph, 'd', 3, false));
    const d = numbers(3);
    await expectTensors(graph, [[graph.gradientOf(w), map((i) => (numbers(1)[i] as number) ** 2 * (d[i] as number))]]);
    expect(() => graph.gradientOf(x)).toThrow("'x' has no gradient");
  });

  it('starts from one where the loss is a scalar, and wants a gradient where it is not', async () => {
    const graph = new Graph(fixture.engine);
    const x = graph.input('x', [1], 'f32', Float32Array.of(3), true);
    graph.backward(mul(graph, x, x));
    expect(await readTensor(fixture.engine, graph.gradientOf(x))).toEqual(Float32Array.of(6));
    const y = input(graph, 'y', 1);
    expect(() => {
      graph.backward(mul(graph, y, y));
    }).toThrow(`backward: 'mul' [${COUNT}] is not a scalar`);
  });

  describe('parameters', () => {
    it('receive their gradient in place, also under another shape', async () => {
      const [p, q] = [fixture.parameter('p', 1), fixture.parameter('q', 2)];
      const graph = new Graph(fixture.engine);
      graph.backward(mul(graph, p.reshape([3, 11]), q.reshape([3, 11])), input(graph, 'd', 3, false).reshape([3, 11]));
      const program = await graph.compile();
      for (let run = 0; run < 2; run++) program.run(); // a run starts anew
      for (const [{ name, grad }, other] of [
        [p, numbers(2)],
        [q, numbers(1)],
      ] as const) {
        const expected = map((i) => (other[i] as number) * (numbers(3)[i] as number));
        expectClose(name, await readTensor(fixture.engine, grad), expected, 1e-6);
      }
      program.dispose();
    });

    it('keep their own copy of a gradient that is handed on', async () => {
      const p = fixture.parameter('p', 1);
      const graph = new Graph(fixture.engine);
      const x = input(graph, 'x', 2);
      graph.backward(mul(graph, add(x, p), x), input(graph, 'd', 3, false));
      const program = await graph.compile();
      program.run();
      const [x0, d] = [numbers(2), numbers(3)];
      expectClose(
        'p',
        await readTensor(fixture.engine, p.grad),
        map((i) => (x0[i] as number) * (d[i] as number)),
        1e-6,
      );
      program.dispose();
    });

    it('gather the gradients of two backward calls in one graph', async () => {
      const p = fixture.parameter('p', 1);
      const graph = new Graph(fixture.engine);
      const x = input(graph, 'x', 4);
      for (const seed of [2, 3]) graph.backward(mul(graph, p, x), input(graph, 'd', seed, false));
      const expected = [
        map((i) => (numbers(4)[i] as number) * ((numbers(2)[i] as number) + (numbers(3)[i] as number))),
        map((i) => (numbers(1)[i] as number) * ((numbers(2)[i] as number) + (numbers(3)[i] as number))),
      ] as const;
      await expectTensors(graph, [
        [graph.gradientOf(p), expected[0]],
        [graph.gradientOf(x), expected[1]],
      ]);
      expectClose('p.grad', await readTensor(fixture.engine, p.grad), expected[0], 1e-6);
    });
  });

  describe('refuses', () => {
    const badProgram = (message: string): unknown =>
      expect.objectContaining({ code: 'bad-program', message: expect.stringContaining(message) as string });

    it('a loss that depends on nothing trained', () => {
      const graph = new Graph(fixture.engine);
      const x = input(graph, 'x', 1, false);
      expect(() => {
        graph.backward(mul(graph, x, x), x);
      }).toThrow(badProgram("backward: 'mul' depends on nothing that takes gradients"));
    });

    it('to give the gradient of an intermediate', () => {
      const graph = new Graph(fixture.engine);
      const x = input(graph, 'x', 1);
      const between = mul(graph, x, x);
      graph.backward(mul(graph, between, x), x.detach());
      expect(() => graph.gradientOf(between)).toThrow(badProgram("'mul' is an intermediate"));
    });

    it('a gradient of another size', () => {
      const graph = new Graph(fixture.engine);
      const x = input(graph, 'x', 1);
      expect(() => {
        graph.backward(mul(graph, x, x), graph.input('d', [3]));
      }).toThrow("'d' [3] can't be [33]");
    });

    it('to go back twice over the same work, where gradients would get lost', () => {
      const graph = new Graph(fixture.engine);
      const x = input(graph, 'x', 1);
      const between = mul(graph, x, x);
      const [first, second] = [mul(graph, between, x), mul(graph, between, between)];
      graph.backward(first, x.detach());
      const twice = badProgram("an earlier backward has already passed 'mul'");
      expect(() => {
        graph.backward(second, x.detach());
      }).toThrow(twice);
      for (const later of [() => mul(graph, x, between), () => add(x, between)]) {
        expect(() => {
          graph.backward(later(), x.detach());
        }).toThrow(twice);
      }
      graph.backward(mul(graph, between.detach(), x), x.detach());
    });
  });
});
