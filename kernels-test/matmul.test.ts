import type { Engine } from '../src/engine/engine';
import type { MatrixUnit } from '../src/gpu/subgroupMatrix';
import { matmul } from '../src/ops/matmul';
import { matmulKernels } from '../src/ops/matmulKernels';
import { planMatmul, type MatmulLayout, type MatmulPlan, type MatmulShape } from '../src/ops/matmulPlan';
import { recordSplitKReduce } from '../src/ops/splitKReduce';
import { Graph } from '../src/tensor/graph';
import type { Precision, Tensor } from '../src/tensor/tensor';
import { expectClose, HALF_TOLERANCE, operationTest, random, randomHalf, type Reference } from './allclose';
import { emulatedMatrix } from './emulatedMatrix';
import { gelu as geluOf, geluGradient } from './gelu.reference';
import * as reference from './matmul.reference';
import { refusalTest } from './expectBadShape';
import { suite, thorough, type KernelTest } from './suite';
import { rowsSum } from './splitKReduce.reference';

const kernels = matmulKernels(emulatedMatrix);

/** All operands in f32. */
const STORAGE = { A16: false, B16: false, C16: false, PRE16: false };
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

/** What a product comes to before GELU, and in the end. */
function resultOf(
  layout: MatmulLayout,
  references: ReturnType<typeof operandsOf>,
  epilogue: Epilogue,
): { readonly before: Float64Array; readonly expected: Float64Array } {
  const before = reference.forward(layout, references).c.data;
  const n = references.bias.data.length;
  if (epilogue.BIAS) before.forEach((x, i) => (before[i] = x + (references.bias.data[i % n] as number)));
  const expected = before.map((value, i) => {
    let x = epilogue.GELU ? geluOf(value) : value;
    if (epilogue.RESIDUAL) x += references.residual.data[i] as number;
    if (epilogue.GELU_GRAD) x *= geluGradient(references.pre.data[i] as number);
    return x;
  });
  return { before, expected };
}

/** Every kernel that this engine can run, as it would be chosen for one device or another. */
function plansOf(engine: Engine, shape: MatmulShape): Readonly<Record<string, MatmulPlan>> {
  const { subgroups } = engine.traits;
  const tile = planMatmul(shape, { software: false });
  // The widest, where there is more than one of it: it takes long to compile.
  const wide = shape.m > 128 && tile.others.find(({ params }) => params['TN'] === 8);
  const plans = {
    plain: planMatmul(shape, { software: true, plain: true }),
    tile,
    ...(wide ? { 'tile, 8×8': { ...tile, ...wide } } : {}),
    register: planMatmul(shape, { software: true }),
  };
  if (!subgroups || subgroups.min !== subgroups.max) return plans;
  const LANES = subgroups.min;
  const chosen = planMatmul(shape, { software: true, subgroups });
  // As they are for other numbers of lanes; shuffles on a small tile: large ones written out take lavapipe seconds to compile.
  const [TM, TN] = [4, 4];
  const ofEight = planMatmul(shape, { software: true, subgroups: { min: 8, max: 8 } });
  const shuffle = (UNROLL: number): MatmulPlan => ({
    ...ofEight,
    params: { ...ofEight.params, TM, TN, LANES, UNROLL },
    workgroups: [Math.ceil(shape.n / (TN * LANES)), Math.ceil(shape.m / TM), 1],
  });
  const software = { chosen, shuffle: shuffle(0), 'shuffle, written out': shuffle(1) };
  if (LANES > 8) return { ...plans, ...software };
  const ofFour = planMatmul(shape, { software: true, subgroups: { min: 4, max: 4 } });
  const panel = { ...ofFour, params: { ...ofFour.params, LANES } };
  return { ...plans, ...software, panel };
}

function matmulTest(layout: MatmulLayout, m: number, n: number, k: number, used: Partial<Epilogue> = {}): KernelTest {
  const shape = { layout, m, n, k };
  const epilogue = { ...EPILOGUE, ...used };
  return {
    name: `${layout} ${m}×${n}×${k} ${Object.keys(used).join(' ')}`.trim(),
    run: async (engine) => {
      const references = operandsOf(shape);
      const { before, expected } = resultOf(layout, references, epilogue);

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
          const params = { ...plan.params, ...STORAGE, ...epilogue, ACCUMULATE: adds, ACCUMULATE_ROW_SUMS: adds };
          const results = { ...(pre ? { pre } : {}), ...(rowPartials ? { rowSums: rowPartials } : {}) };
          graph.dispatch({ kernel, params, uniforms, workgroups, bindings: { a, b, c, ...extras, ...results } });
          if (splits === 1) continue;
          const how = { accumulate: ACCUMULATE, splits };
          const rows = rowSums && rowPartials ? [{ out: rowSums, partials: rowPartials, ...how }] : [];
          recordSplitKReduce(graph, { out, partials: c, ...how }, ...rows);
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

/**
 * The kernel for matrix units, on matrices that are emulated: what it loads, where it pads, what it finishes and stores.
 *
 * @param LANES as if subgroups were so large: 2, so that there are fewer than parts and the tile takes several rounds
 */
function matrixTest(
  layout: MatmulLayout,
  [m, n, k]: readonly [number, number, number],
  matrixUnit: MatrixUnit,
  { half = true, LANES, ...used }: Partial<Epilogue> & { readonly half?: boolean; readonly LANES?: number } = {},
): KernelTest {
  const shape = { layout, m, n, k };
  const epilogue = { ...EPILOGUE, ...used };
  const options = [...Object.keys(used), half ? '' : 'from f32', LANES ? `${LANES} lanes` : ''].filter(
    (word) => word !== '',
  );
  return {
    name: `matrices of ${Object.values(matrixUnit).join('×')}, ${layout} ${m}×${n}×${k} ${options.join(' ')}`.trim(),
    run: async (engine) => {
      const { subgroups, software, plain } = engine.traits;
      if (!engine.hasHalf || !subgroups || software || plain) return; // once is enough
      const exact = operandsOf(shape);
      const references = {
        ...exact,
        a: randomHalf(exact.a.shape, 1),
        b: randomHalf(exact.b.shape, 2),
        pre: randomHalf([m, n], 5),
      };
      const { before, expected } = resultOf(layout, references, epilogue);
      const graph = new Graph(engine, { precision: 'f16' });
      const input = (name: keyof typeof references, dtype: Precision): Tensor =>
        graph.input(name, references[name].shape, dtype, Float32Array.from(references[name].data));
      const type = half ? 'f16' : 'f32';
      const { params, uniforms, workgroups, splits, kernel } = planMatmul(shape, { software: false, matrixUnit });
      // What goes on to the residual stream is f32, as are partial sums and gradients of weights.
      const isHalf = half && !epilogue.RESIDUAL && splits === 1 && layout !== 'tn';
      const out = graph.empty('c', [m, n], isHalf ? 'f16' : 'f32');
      const pre = epilogue.GELU ? graph.empty('pre', [m, n], type) : undefined;
      const c = splits > 1 ? graph.empty('partials', [splits, m, n]) : out;
      const rowSums = epilogue.ROW_SUMS ? graph.empty('row sums', [m]) : undefined;
      const rowPartials = rowSums && (splits > 1 ? graph.empty('row partials', [splits, m]) : rowSums);
      const rounds = epilogue.GELU || epilogue.BIAS ? 1 : 2;
      for (const ACCUMULATE of [false, true].slice(0, rounds)) {
        graph.dispatch({
          kernel: kernels[kernel],
          params: {
            ...{ ...params, ...(LANES ? { LANES } : {}), ...epilogue },
            ...{ ACCUMULATE: ACCUMULATE && splits === 1, ACCUMULATE_ROW_SUMS: ACCUMULATE && splits === 1 },
            ...{ A16: half, B16: half, C16: c.dtype === 'f16', PRE16: half && (epilogue.GELU || epilogue.GELU_GRAD) },
          },
          uniforms,
          workgroups,
          bindings: {
            ...{ a: input('a', type), b: input('b', type), c },
            ...(epilogue.BIAS ? { bias: input('bias', 'f32') } : {}),
            ...(epilogue.RESIDUAL ? { residual: input('residual', 'f32') } : {}),
            ...(epilogue.GELU_GRAD ? { pre: input('pre', type) } : {}),
            ...(pre ? { pre } : {}),
            ...(rowPartials ? { rowSums: rowPartials } : {}),
          },
        });
        if (splits === 1) continue;
        const how = { accumulate: ACCUMULATE, splits };
        const rows = rowSums && rowPartials ? [{ out: rowSums, partials: rowPartials, ...how }] : [];
        recordSplitKReduce(graph, { out, partials: c, ...how }, ...rows);
      }
      graph.output(out, ...[pre, rowSums].filter((tensor) => tensor !== undefined));
      const program = await graph.compile();
      try {
        program.run();
        // Operands are f16 to begin with and sums are f32: what is left is the rounding of what is stored.
        const wanted = expected.map((x) => rounds * x);
        expectClose('c', await program.read(out), wanted, isHalf ? HALF_TOLERANCE : 2e-6);
        if (pre) expectClose('pre', await program.read(pre), before, half ? HALF_TOLERANCE : 2e-6);
        const wantedRows = rowsSum(references.a).data.map((x) => rounds * x);
        if (rowSums) expectClose('row sums', await program.read(rowSums), wantedRows, 2e-6);
      } finally {
        program.dispose();
      }
    },
  };
}

/** The operation, through the tape: the gradient of a product is two products, each in a layout of its own. */
function operation(layout: MatmulLayout, m: number, n: number, k: number, half?: readonly ('a' | 'b')[]): KernelTest {
  const exact = operandsOf({ layout, m, n, k });
  const [a, b] = half ? [randomHalf(exact.a.shape, 1), randomHalf(exact.b.shape, 2)] : [exact.a, exact.b];
  return operationTest<reference.Inputs>({
    name: `matmul ${layout} ${m}×${n}×${k}${half?.length === 1 ? ` of ${half.join()}` : ''}`,
    inputs: { a, b },
    ...(half ? { half } : {}),
    operation: (operands) => ({ c: matmul(operands.a, operands.b, layout) }),
    forward: (inputs) => reference.forward(layout, inputs),
    backward: (inputs, dOutputs) => reference.backward(layout, inputs, dOutputs),
  });
}

// Below and above a tile; k that ends inside a step.
const SHAPES = [
  [1, 1, 1],
  [3, 17, 33],
  [65, 33, 17],
] as const;
// Rows of four as well; tn with k long enough to be split.
const MORE_SHAPES = [
  [132, 68, 36],
  [17, 192, 48],
  [12, 20, 700],
  [33, 5, 515],
] as const;
/** One of the three is long enough in the longer ones for a gradient whose sum is split. */
const OPERATION_SHAPES = [
  [1, 3, 1],
  [3, 17, 33],
  [65, 33, 17],
  [17, 300, 5],
] as const;
const MORE_OPERATION_SHAPES = [
  [20, 12, 300],
  [300, 36, 20],
] as const;
const MORE_HALF_SHAPES = [
  [1, 3, 1],
  [20, 12, 300],
  [300, 36, 20],
] as const;
/** Tn is split where k is long, into runs that end inside a step; a product of many tiles has larger ones. */
const MORE_MATRIX_SHAPES = [
  [1, 1, 1],
  [3, 17, 33],
  [12, 20, 700],
] as const;
const LARGE_UNIT = { M: 16, N: 16, K: 16 };
const SMALL_UNIT = { M: 8, N: 8, K: 8 };
const OBLONG_UNIT = { M: 16, N: 8, K: 16 };
const LAYOUTS = ['nn', 'nt', 'tn'] as const;
const EPILOGUES = [
  { BIAS: true },
  { BIAS: true, GELU: true },
  { BIAS: true, RESIDUAL: true },
  { GELU_GRAD: true },
] as const;

export default suite('matmul', [
  ...LAYOUTS.flatMap((layout) => SHAPES.map(([m, n, k]) => matmulTest(layout, m, n, k))),
  ...LAYOUTS.flatMap((layout) => OPERATION_SHAPES.map(([m, n, k]) => operation(layout, m, n, k))),
  ...LAYOUTS.map((layout) => matrixTest(layout, [65, 33, 17], LARGE_UNIT)),
  matrixTest('tn', [65, 33, 17], LARGE_UNIT, { ROW_SUMS: true }),
  // What the operations linear and mlp put behind a product, and f16, their own tests have in odd shapes.
  ...thorough([
    ...LAYOUTS.map((layout) => operation(layout, 65, 33, 17, ['a', 'b'])),
    ...LAYOUTS.flatMap((layout) => MORE_SHAPES.map(([m, n, k]) => matmulTest(layout, m, n, k))),
    ...EPILOGUES.flatMap((epilogue) => [
      matmulTest('nt', 65, 17, 33, epilogue),
      matmulTest('nn', 65, 36, 20, epilogue),
    ]),
    ...[...SHAPES, ...MORE_SHAPES].map(([m, n, k]) => matmulTest('tn', m, n, k, { ROW_SUMS: true })),
    ...LAYOUTS.flatMap((layout) => MORE_OPERATION_SHAPES.map(([m, n, k]) => operation(layout, m, n, k))),
    ...LAYOUTS.flatMap((layout) => MORE_HALF_SHAPES.map(([m, n, k]) => operation(layout, m, n, k, ['a', 'b']))),
    ...LAYOUTS.flatMap((layout) => [
      ...MORE_MATRIX_SHAPES.map((shape) => matrixTest(layout, shape, LARGE_UNIT)),
      matrixTest(layout, [33, 17, 65], LARGE_UNIT, { LANES: 2 }),
    ]),
    matrixTest('nn', [65, 33, 17], SMALL_UNIT),
    matrixTest('tn', [36, 20, 68], OBLONG_UNIT, { half: false }),
    ...EPILOGUES.flatMap((epilogue) => [
      matrixTest('nt', [65, 17, 33], LARGE_UNIT, epilogue),
      matrixTest('nn', [17, 36, 20], LARGE_UNIT, { ...epilogue, half: false }),
    ]),
    matrixTest('nn', [705, 705, 3], LARGE_UNIT),
    ...MORE_MATRIX_SHAPES.map((shape) => matrixTest('tn', shape, LARGE_UNIT, { ROW_SUMS: true })),
    matrixTest('tn', [33, 17, 65], SMALL_UNIT, { LANES: 2, ROW_SUMS: true }),
    operation('nn', 20, 12, 300, ['b']),
    operation('tn', 33, 17, 65, ['a']),
  ]),
  refusalTest('factors that do not fit', 'b has shape', (graph) =>
    matmul(graph.input('a', [3, 5]), graph.input('b', [4, 2])),
  ),
]);
