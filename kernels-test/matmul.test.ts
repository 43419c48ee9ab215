import gelu from '../shaders/gelu.wgsl';
import source from '../shaders/matmul.wgsl';
import type { Engine } from '../src/gpu/engine';
import { kernelsOf } from '../src/gpu/shader';
import { matmul } from '../src/ops/matmul';
import { planMatmul, type MatmulLayout, type MatmulPlan, type MatmulShape } from '../src/ops/matmulPlan';
import { recordSumPartials } from '../src/ops/sumPartials';
import { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { expectClose, operationTest, random, type Reference } from './compare';
import { gelu as geluOf, geluGradient } from './gelu.reference';
import * as reference from './matmul.reference';
import { refusalTest } from './refusal';
import { suite, type KernelTest } from './suite';
import { rowsSum } from './sumPartials.reference';

const kernels = kernelsOf('matmul', source, ['matmulPlain', 'matmulTile', 'matmulRegister', 'matmulShuffle'], { gelu });

const EPILOGUE = { BIAS: false, GELU: false, RESIDUAL: false, GELU_GRAD: false, ROW_SUMS: false };
type Epilogue = typeof EPILOGUE;

/** Operands of a case; `pre` is what GELU_GRAD takes the derivative at. */
function operandsOf({ layout, m, n, k }: MatmulShape): Record<'a' | 'b' | 'bias' | 'residual' | 'pre', Reference> {
  return {
    a: random(layout === 'tn' ? [k, m] : [m, k], 1),
    b: random(layout === 'nt' ? [n, k] : [k, n], 2),
    bias: random([n], 3),
    residual: random([m, n], 4),
    pre: random([m, n], 5),
  };
}

/** Every kernel that this engine can run, as it would be chosen for one device or another. */
function plansOf(engine: Engine, shape: MatmulShape): Readonly<Record<string, MatmulPlan>> {
  const { subgroups } = engine.traits;
  const plans = {
    plain: planMatmul(shape, { software: true, plain: true }),
    tile: planMatmul(shape, { software: false }),
    register: planMatmul(shape, { software: true }),
  };
  if (!subgroups || subgroups.min !== subgroups.max) return plans;
  const shuffle = planMatmul(shape, { software: true, subgroups });
  // As it is for other numbers of lanes, on a small tile: large ones written out take lavapipe seconds to compile.
  const [TM, TN] = [4, 4];
  const other = {
    ...shuffle,
    params: { ...shuffle.params, TM, TN, UNROLL: !shuffle.params.UNROLL },
    workgroups: [Math.ceil(shape.n / (TN * subgroups.min)), Math.ceil(shape.m / TM), 1],
  } as const;
  return { ...plans, shuffle, 'shuffle, rolled otherwise': other };
}

function matmulTest(layout: MatmulLayout, m: number, n: number, k: number, used: Partial<Epilogue> = {}): KernelTest {
  const shape = { layout, m, n, k };
  const epilogue = { ...EPILOGUE, ...used };
  return {
    name: `${layout} ${m}×${n}×${k} ${Object.keys(used).join(' ')}`.trim(),
    run: async (engine) => {
      const references = operandsOf(shape);
      const before = reference.forward(layout, references).c.data;
      if (epilogue.BIAS) before.forEach((x, i) => (before[i] = x + (references.bias.data[i % n] as number)));
      const expected = before.map((value, i) => {
        let x = epilogue.GELU ? geluOf(value) : value;
        if (epilogue.RESIDUAL) x += references.residual.data[i] as number;
        if (epilogue.GELU_GRAD) x *= geluGradient(references.pre.data[i] as number);
        return x;
      });

      const graph = new Graph(engine);
      const input = (name: keyof typeof references): Tensor =>
        graph.input(name, references[name].shape, 'f32', Float32Array.from(references[name].data));
      const a = input('a');
      const b = input('b');
      const extras = {
        ...(epilogue.BIAS ? { bias: input('bias') } : {}),
        ...(epilogue.RESIDUAL ? { residual: input('residual') } : {}),
        ...(epilogue.GELU_GRAD ? { pre: input('pre') } : {}),
      };
      const found = Object.entries(plansOf(engine, shape)).map(([device, plan]) => {
        const { uniforms, workgroups, splits } = plan;
        const kernel = kernels[plan.kernel];
        const out = graph.empty(device, [m, n]);
        const pre = epilogue.GELU ? graph.empty(`${device} pre`, [m, n]) : undefined;
        const c = splits > 1 ? graph.empty(`${device} partials`, [splits, m, n]) : out;
        const rowSums = epilogue.ROW_SUMS ? graph.empty(`${device} row sums`, [m]) : undefined;
        const rowPartials = rowSums && (splits > 1 ? graph.empty(`${device} row partials`, [splits, m]) : rowSums);
        // The second round must add to what the first wrote.
        for (const ACCUMULATE of epilogue.GELU || epilogue.BIAS ? [false] : [false, true]) {
          const adds = ACCUMULATE && splits === 1;
          const params = { ...plan.params, ...epilogue, ACCUMULATE: adds, ACCUMULATE_ROW_SUMS: adds };
          const results = { ...(pre ? { pre } : {}), ...(rowPartials ? { rowSums: rowPartials } : {}) };
          graph.dispatch({ kernel, params, uniforms, workgroups, bindings: { a, b, c, ...extras, ...results } });
          if (splits === 1) continue;
          const rows = rowSums && rowPartials && { out: rowSums, partials: rowPartials, accumulate: ACCUMULATE };
          recordSumPartials(graph, splits, { out, partials: c, accumulate: ACCUMULATE }, rows);
        }
        graph.output(out, ...[pre, rowSums].filter((tensor) => tensor !== undefined));
        return { device, out, pre, rowSums };
      });
      const program = await graph.compile();
      try {
        program.run();
        const rounds = epilogue.GELU || epilogue.BIAS ? 1 : 2;
        const wanted = expected.map((x) => rounds * x);
        const wantedRows = rowsSum(references.a).data.map((x) => rounds * x);
        let plain: ArrayLike<number> | undefined;
        let plainRows: ArrayLike<number> | undefined;
        for (const { device, out, pre, rowSums } of found) {
          const values = await program.read(out);
          // A chain of k fused multiply-adds: at most about 6e-8·√k of the result's norm, and k ≤ 700 here.
          expectClose(device, values, wanted, 2e-6);
          if (pre) expectClose(`${device}: pre`, await program.read(pre), before, 2e-6);
          plain ??= values;
          if (Object.keys(used).every((name) => name === 'ROW_SUMS')) expectSameBits(device, values, plain);
          if (!rowSums) continue;
          const sums = await program.read(rowSums);
          expectClose(`${device}: row sums`, sums, wantedRows, 2e-6);
          expectSameBits(`${device}: row sums`, sums, (plainRows ??= sums));
        }
      } finally {
        program.dispose();
      }
    },
  };
}

function expectSameBits(what: string, values: ArrayLike<number>, plain: ArrayLike<number>): void {
  const differs = Array.from(values).findIndex((value, i) => value !== plain[i]);
  if (differs >= 0) throw new Error(`${what}: element ${differs} is not bit for bit that of the plain kernel`);
}

/** The operation, through the tape: the gradient of a product is two products, each in a layout of its own. */
function operation(layout: MatmulLayout, m: number, n: number, k: number): KernelTest {
  const { a, b } = operandsOf({ layout, m, n, k });
  return operationTest<reference.Inputs>({
    name: `matmul ${layout} ${m}×${n}×${k}`,
    inputs: { a, b },
    operation: (graph, operands) => ({ c: matmul(graph, operands.a, operands.b, layout) }),
    forward: (inputs) => reference.forward(layout, inputs),
    backward: (inputs, dOutputs) => reference.backward(layout, inputs, dOutputs),
  });
}

// Rows of four and not; below and above a tile; k that ends inside a step; tn with k long enough to be split.
const SHAPES = [[1, 1, 1], [3, 17, 33], [65, 33, 17], [132, 68, 36], [17, 192, 48], [12, 20, 700], [33, 5, 515]] as const;
/** As above; one of the three is long enough in each for a gradient whose sum is split. */
const OPERATION_SHAPES = [[1, 3, 1], [3, 17, 33], [65, 33, 17], [20, 12, 300], [17, 300, 5], [300, 36, 20]] as const;
const LAYOUTS = ['nn', 'nt', 'tn'] as const;
const EPILOGUES = [
  { BIAS: true },
  { BIAS: true, GELU: true },
  { BIAS: true, RESIDUAL: true },
  { GELU_GRAD: true },
] as const;

export default suite('matmul', [
  ...LAYOUTS.flatMap((layout) => SHAPES.map(([m, n, k]) => matmulTest(layout, m, n, k))),
  ...EPILOGUES.flatMap((epilogue) => [
    matmulTest('nt', 65, 17, 33, epilogue),
    matmulTest('nn', 65, 36, 20, epilogue),
  ]),
  ...SHAPES.map(([m, n, k]) => matmulTest('tn', m, n, k, { ROW_SUMS: true })),
  ...LAYOUTS.flatMap((layout) => OPERATION_SHAPES.map(([m, n, k]) => operation(layout, m, n, k))),
  refusalTest('factors that do not fit', 'b has shape', (graph) =>
    matmul(graph, graph.input('a', [3, 5]), graph.input('b', [4, 2])),
  ),
  refusalTest('a stack of matrices', 'a has shape', (graph) =>
    matmul(graph, graph.input('a', [2, 3, 5]), graph.input('b', [5, 2])),
  ),
]);
