import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectClose, random } from '../../kernels-test/allclose';
import type { Engine } from '../gpu/engine';
import { kernelsOf } from '../gpu/shader';
import type { Slice } from '../gpu/storage';
import { testEngine } from '../testing/testEngine';
import { add } from '../ops/add';
import { Graph } from './graph';
import { Parameter } from './parameter';
import { createTensor, disposeTensor, readTensor, type Tensor } from './tensor';

const { product } = kernelsOf(
  'tapeTest',
  `
//#kernel product
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
struct Sizes { count: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i < sizes.count) {
    //#if ACCUMULATE
    out[i] += a[i] * b[i];
    //#else
    out[i] = a[i] * b[i];
    //#end
  }
}
`,
  ['product'],
);

function dispatchProduct(graph: Graph, a: Tensor, b: Tensor, out: Tensor, ACCUMULATE: boolean): void {
  graph.dispatch({
    kernel: product,
    params: { ACCUMULATE },
    uniforms: { count: out.size },
    bindings: { a, b, out },
    workgroups: [Math.ceil(out.size / 64)],
  });
}

/** a · b, elementwise: its backward writes gradients, or adds to what is there. */
function mul(graph: Graph, a: Tensor, b: Tensor): Tensor {
  const out = graph.empty('mul', a.shape, 'f32', a.requiresGrad || b.requiresGrad);
  dispatchProduct(graph, a, b, out, false);
  graph.record('mul', [out], (gradients) => {
    const dOut = gradients.of(out);
    if (!dOut) return;
    for (const [input, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const target = gradients.into(input);
      if (target) dispatchProduct(graph, dOut, other, target.out, target.accumulate);
    }
  });
  return out;
}

const COUNT = 33;

describe('Tape', () => {
  let engine: Engine;
  const lasting: Tensor[] = [];
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    engine.dispose();
  });
  afterEach(() => {
    for (const tensor of lasting.splice(0)) disposeTensor(engine, tensor);
    const left = engine.pool.liveBuffers;
    engine.pool.dispose(); // a test that fails leaves nothing to the next
    expect(left).toBe(0);
  });

  function parameter(name: string, seed: number): Parameter {
    const value = createTensor(engine, name, [COUNT], 'f32', Float32Array.from(random([COUNT], seed).data));
    const grad = createTensor(engine, `${name} gradient`, [COUNT], 'f32');
    lasting.push(value, grad);
    const made = new Parameter([COUNT]);
    made.bind(name, { values: value.storage as Slice, gradient: grad });
    return made;
  }

  const input = (graph: Graph, label: string, seed: number, requiresGrad = true): Tensor =>
    graph.input(label, [COUNT], 'f32', Float32Array.from(random([COUNT], seed).data), requiresGrad);

  const numbers = (seed: number): Float64Array => random([COUNT], seed).data;
  const map = (fn: (i: number) => number): Float64Array => Float64Array.from({ length: COUNT }, (_, i) => fn(i));

  /** Runs a graph once and compares some of its tensors. */
  async function expectTensors(graph: Graph, wanted: readonly (readonly [Tensor, Float64Array])[]): Promise<void> {
    graph.output(...wanted.map(([tensor]) => tensor));
    const program = await graph.compile();
    program.run();
    // A handful of f32 roundings, 6e-8 each.
    for (const [tensor, expected] of wanted) expectClose(tensor.label, await program.read(tensor), expected, 1e-6);
    program.dispose();
  }

  it('adds up what flows back to a tensor that is used three times', async () => {
    const graph = new Graph(engine);
    const x = input(graph, 'x', 1);
    const y = mul(graph, mul(graph, x, x), x);
    graph.backward(y, input(graph, 'd', 2, false));
    const [v, d] = [numbers(1), numbers(2)];
    await expectTensors(graph, [[graph.gradientOf(x), map((i) => 3 * (v[i] as number) ** 2 * (d[i] as number))]]);
  });

  it.each([false, true])('goes back through add(x, x), x an intermediate: %s', async (between) => {
    const graph = new Graph(engine);
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
    const graph = new Graph(engine);
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
    const graph = new Graph(engine);
    const [x, d] = [input(graph, 'x', 1), input(graph, 'd', 2, false)];
    graph.backward(add(add(x, x), x), d);
    await expectTensors(graph, [
      [graph.gradientOf(x), map((i) => 3 * (numbers(2)[i] as number))],
      [d, numbers(2)],
    ]);
  });

  it('gives tensors that share memory one gradient', async () => {
    const graph = new Graph(engine);
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
    const graph = new Graph(engine);
    const [x, w] = [input(graph, 'x', 1), input(graph, 'w', 2)];
    const inner = mul(graph, x, x);
    graph.backward(mul(graph, inner.detach(), w), input(graph, 'd', 3, false));
    const d = numbers(3);
    await expectTensors(graph, [[graph.gradientOf(w), map((i) => (numbers(1)[i] as number) ** 2 * (d[i] as number))]]);
    expect(() => graph.gradientOf(x)).toThrow("'x' has no gradient");
  });

  it('starts from one where the loss is a scalar, and wants a gradient where it is not', async () => {
    const graph = new Graph(engine);
    const x = graph.input('x', [1], 'f32', Float32Array.of(3), true);
    graph.backward(mul(graph, x, x));
    expect(await readTensor(engine, graph.gradientOf(x))).toEqual(Float32Array.of(6));
    const y = input(graph, 'y', 1);
    expect(() => {
      graph.backward(mul(graph, y, y));
    }).toThrow(`backward: 'mul' [${COUNT}] is not a scalar`);
  });

  describe('parameters', () => {
    it('receive their gradient in place, also under another shape', async () => {
      const [p, q] = [parameter('p', 1), parameter('q', 2)];
      const graph = new Graph(engine);
      graph.backward(mul(graph, p.reshape([3, 11]), q.reshape([3, 11])), input(graph, 'd', 3, false).reshape([3, 11]));
      const program = await graph.compile();
      for (let run = 0; run < 2; run++) program.run(); // a run starts anew
      for (const [{ name, grad }, other] of [
        [p, numbers(2)],
        [q, numbers(1)],
      ] as const) {
        const expected = map((i) => (other[i] as number) * (numbers(3)[i] as number));
        expectClose(name, await readTensor(engine, grad), expected, 1e-6);
      }
      program.dispose();
    });

    it('keep their own copy of a gradient that is handed on', async () => {
      const p = parameter('p', 1);
      const graph = new Graph(engine);
      const x = input(graph, 'x', 2);
      graph.backward(mul(graph, add(x, p), x), input(graph, 'd', 3, false));
      const program = await graph.compile();
      program.run();
      const [x0, d] = [numbers(2), numbers(3)];
      expectClose(
        'p',
        await readTensor(engine, p.grad),
        map((i) => (x0[i] as number) * (d[i] as number)),
        1e-6,
      );
      program.dispose();
    });

    it('gather the gradients of two backward calls in one graph', async () => {
      const p = parameter('p', 1);
      const graph = new Graph(engine);
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
      expectClose('p.grad', await readTensor(engine, p.grad), expected[0], 1e-6);
    });
  });

  describe('refuses', () => {
    const badProgram = (message: string): unknown =>
      expect.objectContaining({ code: 'bad-program', message: expect.stringContaining(message) as string });

    it('a loss that depends on nothing trained', () => {
      const graph = new Graph(engine);
      const x = input(graph, 'x', 1, false);
      expect(() => {
        graph.backward(mul(graph, x, x), x);
      }).toThrow(badProgram("backward: 'mul' depends on nothing that takes gradients"));
    });

    it('to give the gradient of an intermediate', () => {
      const graph = new Graph(engine);
      const x = input(graph, 'x', 1);
      const between = mul(graph, x, x);
      graph.backward(mul(graph, between, x), x.detach());
      expect(() => graph.gradientOf(between)).toThrow(badProgram("'mul' is an intermediate"));
    });

    it('a gradient of another size', () => {
      const graph = new Graph(engine);
      const x = input(graph, 'x', 1);
      expect(() => {
        graph.backward(mul(graph, x, x), graph.input('d', [3]));
      }).toThrow("'d' [3] can't be [33]");
    });

    it('to go back twice over the same work, where gradients would get lost', () => {
      const graph = new Graph(engine);
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

  describe('a checkpoint', () => {
    /** Cubes x and scales it by parameters, in blocks of a few operations each. */
    const chain = (
      graph: Graph,
      x: Tensor,
      scales: readonly Parameter[],
      keep: (make: () => Tensor) => Tensor,
    ): Tensor =>
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
      const scales = [2, 3, 4].map((seed) => parameter(`scale ${seed}`, seed));
      const graph = new Graph(engine, options);
      const x = input(graph, 'x', 1);
      const y = chain(graph, x, [...scales, ...scales.slice(0, 1)], (make) => keep(graph, make));
      graph.backward(mul(graph, y, x), input(graph, 'd', 5, false));
      graph.output(y, graph.gradientOf(x));
      const program = await graph.compile();
      for (let run = 0; run < 2; run++) program.run();
      const bits: Float32Array[] = [];
      for (const tensor of [y, graph.gradientOf(x)]) bits.push((await program.read(tensor)) as Float32Array);
      for (const { grad } of scales) bits.push((await readTensor(engine, grad)) as Float32Array);
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
      const twice = await evaluate((graph, make) =>
        graph.checkpoint('outer', () => squared(graph, again(graph, make))),
      );
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
      const graph = new Graph(engine);
      const [x, w] = [input(graph, 'x', 1), input(graph, 'w', 2, false)];
      const same = graph.checkpoint('nothing', () => x);
      const constant = graph.checkpoint('constant', () => mul(graph, w, w));
      expect([same, constant.requiresGrad]).toEqual([x, false]);
      graph.backward(mul(graph, same, constant), input(graph, 'd', 3, false));
      const expected = map((i) => (numbers(2)[i] as number) ** 2 * (numbers(3)[i] as number));
      await expectTensors(graph, [[graph.gradientOf(x), expected]]);
    });

    it('lets nothing out that gradients would have to come back to', async () => {
      const graph = new Graph(engine);
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
      const other = new Graph(engine);
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

  it('agrees with plain reverse mode on random graphs', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const below = generator(seed);
      const graph = new Graph(engine);
      const leaves = [
        leaf(input(graph, 'x', seed), numbers(seed)),
        leaf(input(graph, 'y', seed + 100), numbers(seed + 100)),
        leaf(parameter('p', seed + 200), numbers(seed + 200)),
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
      for (const tensor of lasting.splice(0)) disposeTensor(engine, tensor);
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
