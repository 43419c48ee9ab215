import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../kernels-test/allclose';
import { engineVariants } from '../../kernels-test/variants';
import { choicesOf, variantName, type TuningKey, type KernelVariant } from '../gpu/autotune';
import { Engine } from '../engine/engine';
import { parseShader, type Kernel } from '../gpu/shader';
import { openEngine } from '../node/dawn';
import { Graph } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';
import { attention } from './attention';
import { conv2d } from './conv2d';
import { recordMatmul, type Epilogue } from './matmul';
import type { MatmulLayout, MatmulShape } from './matmulPlan';
import { measureKernels } from './tuner';

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine({ timestamps: true });
});
afterAll(() => engine.dispose());

/** Work that can be done in several variants: records it and returns all that it writes. */
type Work = (graph: Graph) => readonly Tensor[];

function input(graph: Graph, name: string, shape: readonly number[], seed: number): Tensor {
  return graph.input(name, shape, 'f32', Float32Array.from(random(shape, seed).data), true);
}

function product(shape: MatmulShape, uses: readonly (keyof Epilogue)[] = []): Work {
  return (graph) => {
    const { layout, m, n, k } = shape;
    const a = input(graph, 'a', layout === 'tn' ? [k, m] : [m, k], 1);
    const b = input(graph, 'b', layout === 'nt' ? [n, k] : [k, n], 2);
    const out = graph.empty('out', [m, n]);
    const pre = graph.empty('pre', [m, n]);
    const epilogue: Epilogue = {
      ...(uses.includes('bias') ? { bias: input(graph, 'bias', [n], 3) } : {}),
      ...(uses.includes('residual') ? { residual: input(graph, 'residual', [m, n], 4) } : {}),
      ...(uses.includes('gelu') ? { gelu: pre } : {}),
      ...(uses.includes('geluGradient') ? { geluGradient: input(graph, 'pre', [m, n], 5) } : {}),
    };
    recordMatmul(graph, shape, { a, b, out }, false, epilogue);
    if (uses.length === 0) recordMatmul(graph, shape, { a, b, out }, true);
    return uses.includes('gelu') ? [out, pre] : [out];
  };
}

function attended(b: number, n: number, heads: number, d: number, masked: boolean): Work {
  return (graph) => {
    const qkv = input(graph, 'qkv', [b, n, 3 * heads * d], 1);
    const mask = Uint32Array.from({ length: b * n }, (_, i) => Number(i % 3 > 0));
    const out = attention(qkv, heads, masked ? { keyMask: graph.input('mask', [b, n], 'u32', mask) } : {});
    graph.backward(out, input(graph, 'd out', out.shape, 2));
    return [out, graph.gradientOf(qkv)];
  };
}

/** A convolution, and the gradients of all that it is given; it pads, strides and has groups. */
function convolved(stride: number): Work {
  return (graph) => {
    const [x, weight] = [input(graph, 'x', [9, 4, 13, 13], 1), input(graph, 'weight', [6, 2, 3, 3], 2)];
    const bias = input(graph, 'bias', [6], 3);
    const out = conv2d(x, weight, bias, { padding: 1, groups: 2, stride });
    graph.backward(out, input(graph, 'd out', out.shape, 4));
    return [out, ...[x, weight, bias].map((operand) => graph.gradientOf(operand))];
  };
}

async function bitsOf(on: Engine, work: Work): Promise<number[][]> {
  const graph = new Graph(on);
  const outputs = work(graph);
  graph.output(...outputs);
  const program = await graph.compile();
  try {
    program.run();
    const read: number[][] = [];
    for (const output of outputs) read.push([...new Uint32Array((await program.read(output)).slice().buffer)]);
    return read;
  } finally {
    program.dispose();
  }
}

const layouts: readonly MatmulLayout[] = ['nn', 'nt', 'tn'];
/** Odd shapes and round ones, below and above a tile, and a gradient whose sum is split. */
const works: Readonly<Record<string, Work>> = {
  'conv2d, stride 1': convolved(1),
  'conv2d, stride 2': convolved(2),
  ...Object.fromEntries(layouts.map((layout) => [`${layout} 96×132×64`, product({ layout, m: 96, n: 132, k: 64 })])),
  'tn 65×33×17': product({ layout: 'tn', m: 65, n: 33, k: 17 }),
  'tn 33×65×700, split': product({ layout: 'tn', m: 33, n: 65, k: 700 }),
  'nt 65×33×17 with bias and GELU': product({ layout: 'nt', m: 65, n: 33, k: 17 }, ['bias', 'gelu']),
  'nt 36×68×40 with bias and residual': product({ layout: 'nt', m: 36, n: 68, k: 40 }, ['bias', 'residual']),
  "nn 65×33×17 with GELU's gradient": product({ layout: 'nn', m: 65, n: 33, k: 17 }, ['geluGradient']),
  'attention 3×17×3×8': attended(3, 17, 3, 8, false),
  'attention 2×33×2×16 with a mask': attended(2, 33, 2, 16, true),
  'attention 1×17×1×12': attended(1, 17, 1, 12, false),
};

describe('every variant of a dispatch gives the bits of the first', { tags: ['thorough'] }, () => {
  const choices = ['kernels for GPUs', 'kernels for software adapters'];
  it.each(choices.flatMap((choice) => Object.entries(works).map(([name, work]) => [choice, name, work] as const)))(
    '%s: %s',
    async (choice, name, work) => {
      const fresh = (): Engine => engineVariants(engine)[choice] as Engine;
      const byRule = fresh();
      choicesOf(byRule);
      const wanted = await bitsOf(byRule, work);
      const { asked } = choicesOf(byRule);
      expect(choicesOf(byRule).used).toEqual({});
      const counts = asked.map(({ variants }) => variants.length);
      if (/^(nn|nt|tn) /.test(name)) expect(Math.max(...counts)).toBeGreaterThan(2);
      for (let variant = 1; variant < Math.max(0, ...counts); variant++) {
        const other = fresh();
        const entries = asked.map(
          ({ key, variants }) => [key, variantName(variants[variant] ?? (variants.at(-1) as KernelVariant))] as const,
        );
        choicesOf(other).adopt(Object.fromEntries(entries));
        expect(await bitsOf(other, work), String(entries)).toEqual(wanted);
        // It was indeed done in that way.
        expect(choicesOf(other).used).toEqual(Object.fromEntries(entries));
      }
    },
    600_000,
  );
});

/** Each element squared, after so many idle turns; or something else. */
const SQUARES = `
//#kernel squares
//#param TURNS: u32
//#param WRONG: u32
struct Sizes { count: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.count) { return; }
  var turned = x[id.x];
  for (var turn = 0u; turn < TURNS; turn++) { turned = fract(turned * 3.7) + 0.1; }
  // What the turns lead to is positive, which only a run finds out.
  y[id.x] = select(0.0, x[id.x] * x[id.x], turned > -9.0);
  if (id.x == sizes.count - 1u && WRONG == 1u) { y[id.x] = x[id.x]; }
}`;
const kernels = parseShader('squares', SQUARES);

function squares(...variants: readonly { readonly TURNS: number; readonly WRONG: number }[]): TuningKey {
  const count = 50_000;
  return {
    key: 'squares',
    variants: variants.map((params) => ({
      kernel: kernels['squares'] as Kernel,
      params,
      workgroups: [Math.ceil(count / 64)],
    })),
    uniforms: { count },
    sizes: new Map([
      ['x', 4 * count],
      ['y', 4 * count],
    ]),
    flops: count,
    uses: 1,
  };
}

describe('measuring', () => {
  it('finds the fast variant, and says what it gains', async () => {
    const { entries, refused, changed, ratio } = await measureKernels(
      engine,
      [squares({ TURNS: 2000, WRONG: 0 }, { TURNS: 1000, WRONG: 0 }, { TURNS: 0, WRONG: 0 })],
      60,
    );
    expect(entries).toEqual({ squares: 'squares TURNS=0 WRONG=0' });
    expect({ refused, changed }).toEqual({ refused: [], changed: 1 });
    expect(ratio).toBeLessThan(0.5);
  });

  it('a variant that is wrong in one element cannot win, however fast it is, and is told', async () => {
    const question = squares({ TURNS: 500, WRONG: 0 }, { TURNS: 0, WRONG: 1 }, { TURNS: 2000, WRONG: 0 });
    const { entries, refused, changed, ratio } = await measureKernels(engine, [question], 60);
    expect(entries).toEqual({ squares: 'squares TURNS=500 WRONG=0' });
    expect(refused).toEqual(['squares: squares TURNS=0 WRONG=1 differs in 1 elements']);
    expect({ changed, ratio }).toEqual({ changed: 0, ratio: 1 });
  });

  it('nor one that does not compile', async () => {
    const broken = parseShader('broken', SQUARES.replace('squares', 'broken').replace('select(', 'choose('));
    const question = squares({ TURNS: 1, WRONG: 0 });
    const variants = [
      ...question.variants,
      { kernel: broken['broken'] as Kernel, params: { TURNS: 0, WRONG: 0 }, workgroups: [1] as const },
    ];
    const { entries, refused } = await measureKernels(engine, [{ ...question, variants }], 60);
    expect(entries).toEqual({ squares: 'squares TURNS=1 WRONG=0' });
    expect(refused).toEqual([expect.stringMatching(/^squares: broken TURNS=0 WRONG=0 cannot run: Kernel 'broken'/)]);
  });

  it('one that is no faster does not win', async () => {
    const { changed } = await measureKernels(engine, [squares({ TURNS: 0, WRONG: 0 }, { TURNS: 400, WRONG: 0 })], 60);
    expect(changed).toBe(0);
  });

  it('begins nothing where there is no time left, and leaves no memory behind', async () => {
    expect(await measureKernels(engine, [squares({ TURNS: 9, WRONG: 0 }, { TURNS: 0, WRONG: 0 })], -1)).toMatchObject({
      entries: {},
    });
    expect(engine.pool.liveBuffers).toBe(0);
  });

  it('leaves open what does not fit into memory', async () => {
    const small = Engine.borrow(engine.device, { info: engine.info, wait: engine.wait, budget: 300_000 });
    const question = squares({ TURNS: 9, WRONG: 0 }, { TURNS: 0, WRONG: 0 });
    expect((await measureKernels(small, [question], 60)).entries).toEqual({});
    expect(small.pool.liveBuffers).toBe(0);
  });

  it('answers what a graph asked, so that another graph is done so', async () => {
    const tried = engineVariants(engine)['kernels for software adapters'] as Engine;
    choicesOf(tried);
    const work = works['nt 36×68×40 with bias and residual'] as Work;
    const wanted = await bitsOf(tried, work);
    const { entries } = await measureKernels(tried, choicesOf(tried).open, 60);
    choicesOf(tried).adopt(entries);
    expect(choicesOf(tried).open).toEqual([]);
    expect(choicesOf(tried).used).toEqual(entries);
    // The first variant tells its flags; a panel takes operands element by element.
    expect(Object.keys(entries)).toEqual([expect.stringMatching(/^matmul nt 36×68×40 TRANS_B (VEC )?BIAS RESIDUAL$/)]);
    expect(await bitsOf(tried, work)).toEqual(wanted);
  });
});
