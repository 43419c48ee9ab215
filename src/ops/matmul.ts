import subgroupMatrix from '../../shaders/subgroupMatrix.wgsl';
import type { KernelVariant } from '../gpu/autotune';
import { EngineError } from '../gpu/errors';
import type { DeviceTraits } from '../gpu/deviceTraits';
import { graphOf, type Graph } from '../tensor/graph';
import { matchShape, rowsOf, sizeOf, type Shape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { batchedMatmul } from './batchedMatmul';
import { broadcastShape } from './broadcast';
import { matmulKernels } from './matmulKernels';
import { planMatmul, type MatmulLayout, type MatmulShape, type MatmulVariant } from './matmulPlan';
import { assertFloating } from './patchIndices';
import { recordSplitKReduce, type Target } from './splitKReduce';

const kernels = matmulKernels(subgroupMatrix);

/** What happens to a product on its way to memory, in this order. */
export interface Epilogue {
  /** [N], added to every row. */
  readonly bias?: Tensor;
  /** [M, N]: receives the sum so far, and GELU is applied. */
  readonly gelu?: Tensor;
  /** [M, N], added. */
  readonly residual?: Tensor;
  /** [M, N]: the result is multiplied by gelu'(this). */
  readonly geluGradient?: Tensor;
  /** [M], of a tn product: receives Σ_k op(A)[m, k], the gradient of a bias beside that of its weight. */
  readonly rowSums?: Target;
}

/**
 * Appends out (+)= epilogue(op(a)·op(b)): nn is A·B, nt is A·Bᵀ, tn is Aᵀ·B; A and B are taken as they lie in memory. Both,
 * `out` and what GELU leaves may be f32 or f16; what is added must be f32.
 */
export function recordMatmul(
  graph: Graph,
  shape: MatmulShape,
  operands: { readonly a: Tensor; readonly b: Tensor; readonly out: Tensor },
  accumulate: boolean,
  epilogue: Epilogue = {},
): void {
  const { layout, m, n, k } = shape;
  graph.byTraits(`matmul ${layout} ${m}×${n}×${k}`, (traits) =>
    recordPlanned(graph, shape, { ...operands, accumulate, epilogue }, traits),
  );
}

/** What a product is made of, and where it goes. */
interface Product extends Target {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly epilogue: Epilogue;
}

function recordPlanned(
  graph: Graph,
  shape: MatmulShape,
  { out, accumulate, ...product }: Product,
  { matrixUnit, ...traits }: DeviceTraits,
): void {
  const { layout, m, n, k } = shape;
  const { bias, gelu: pre, residual, geluGradient, rowSums } = product.epilogue;
  const a = graph.operand(product.a);
  const b = graph.operand(product.b);
  const plan = planMatmul(shape, matrixUnit && graph.precision === 'f16' ? { ...traits, matrixUnit } : traits);
  const split = plan.splits > 1;
  const target = split ? graph.empty('matmul partial', [plan.splits, m, n]) : out;
  const rowTarget = rowSums && (split ? graph.empty('matmul row sums', [plan.splits, m]) : rowSums.out);
  const epilogue = {
    BIAS: bias !== undefined,
    GELU: pre !== undefined,
    RESIDUAL: residual !== undefined,
    GELU_GRAD: geluGradient !== undefined,
    ACCUMULATE: accumulate && !split,
    ROW_SUMS: rowSums !== undefined,
    ACCUMULATE_ROW_SUMS: rowSums?.accumulate === true && !split,
    ...storageParams(a, b, target, pre ?? geluGradient),
  };
  const variant = ({ kernel, params, workgroups }: MatmulVariant): KernelVariant => ({
    kernel: kernels[kernel],
    params: { ...params, ...epilogue },
    workgroups,
  });
  graph.dispatch({
    ...variant(plan),
    alternatives: { work: `matmul ${layout} ${m}×${n}×${k}`, variants: plan.others.map(variant) },
    flops: 2 * m * n * k,
    uniforms: plan.uniforms,
    bindings: {
      a,
      b,
      c: target,
      ...(bias ? { bias } : {}),
      ...(pre ? { pre } : {}),
      ...(geluGradient ? { pre: geluGradient } : {}),
      ...(residual ? { residual } : {}),
      ...(rowTarget ? { rowSums: rowTarget } : {}),
    },
  });
  if (!split) return;
  const { splits } = plan;
  const rows = rowSums && rowTarget ? [{ ...rowSums, partials: rowTarget, splits }] : [];
  recordSplitKReduce(graph, { out, accumulate, partials: target, splits }, ...rows);
}

/** How the operands of a product lie in memory. */
function storageParams(a: Tensor, b: Tensor, c: Tensor, pre: Tensor | undefined): Record<string, boolean> {
  const isHalf = (tensor: Tensor | undefined): boolean => tensor?.dtype === 'f16';
  return { A16: isHalf(a), B16: isHalf(b), C16: isHalf(c), PRE16: isHalf(pre) };
}

/** Appends the gradients of C = op(A)·op(B), given dC [M, N], with respect to both operands. */
export function recordMatmulBackward(
  graph: Graph,
  { layout, m, n, k }: MatmulShape,
  { a, b, dOut }: { readonly a: Tensor; readonly b: Tensor; readonly dOut: Tensor },
  into: (operand: Tensor) => { readonly out: Tensor; readonly accumulate: boolean } | undefined,
): void {
  const dA = into(a);
  if (dA) {
    // nn: dA = dC·Bᵀ;  nt: dA = dC·B;  tn: dA = B·dCᵀ.
    const shape = {
      nn: { layout: 'nt', m, n: k, k: n },
      nt: { layout: 'nn', m, n: k, k: n },
      tn: { layout: 'nt', m: k, n: m, k: n },
    }[layout];
    const operands = layout === 'tn' ? { a: b, b: dOut } : { a: dOut, b };
    recordMatmul(graph, shape as MatmulShape, { ...operands, out: dA.out }, dA.accumulate);
  }
  const dB = into(b);
  if (dB) {
    // nn: dB = Aᵀ·dC;  nt: dB = dCᵀ·A;  tn: dB = A·dC.
    const shape = {
      nn: { layout: 'tn', m: k, n, k: m },
      nt: { layout: 'tn', m: n, n: k, k: m },
      tn: { layout: 'nn', m: k, n, k: m },
    }[layout];
    const operands = layout === 'nt' ? { a: dOut, b: a } : { a, b: dOut };
    recordMatmul(graph, shape as MatmulShape, { ...operands, out: dB.out }, dB.accumulate);
  }
}

/**
 * The product of matrices as `torch.matmul` has it: of the last two axes, in stacks along the axes before, which are stretched
 * to one shape. A vector is a row on the left and a column on the right, and the result goes without that axis.
 *
 * @param a [..., M, K] or [K]; with the layout `tn`, [..., K, M]
 * @param b [..., K, N] or [K]; with the layout `nt`, [..., N, K]
 * @param layout nn is A·B, nt is A·Bᵀ, tn is Aᵀ·B, of matrices as they are stored
 * @returns [..., M, N]
 * @throws EngineError `bad-shape`, also for a single number, and for stacks of another type than f32
 */
export function matmul(a: Tensor, b: Tensor, layout: MatmulLayout = 'nn'): Tensor<'f32'> {
  const [left, right] = [asMatrix('a', a, (k) => [1, k]), asMatrix('b', b, (k) => [k, 1])];
  if ((a.shape.length === 1 || b.shape.length === 1) && layout !== 'nn') {
    throw new EngineError(
      'bad-shape',
      `matmul: a vector in the layout ${layout}.`,
      'Vectors are not turned: leave the layout out.',
    );
  }
  const { k } = matchShape('matmul', 'a', left.shape.slice(-2), layout === 'tn' ? ['k', 'm'] : ['m', 'k']);
  const { n } = matchShape('matmul', 'b', right.shape.slice(-2), layout === 'nt' ? ['n', 'k'] : ['k', 'n'], { k });
  const c = product(left, right, layout, n);
  const shape = [...c.shape.slice(0, -2), ...c.shape.slice(-2).filter((_, i) => (i === 0 ? a : b).shape.length > 1)];
  return shape.length === c.shape.length ? c : c.reshape(shape);
}

/** At least a matrix. */
function asMatrix(operand: string, x: Tensor, shapeOf: (k: number) => Shape): Tensor {
  assertFloating('matmul', operand, x);
  const [k] = x.shape;
  if (k === undefined) {
    throw new EngineError('bad-shape', `matmul: ${operand} is a single number.`, 'Multiply by it: mul.');
  }
  return x.shape.length > 1 ? x : x.reshape(shapeOf(k));
}

/** Where a stack meets one matrix, all its rows are one product. */
function product(a: Tensor, b: Tensor, layout: MatmulLayout, n: number): Tensor<'f32'> {
  const [stackA, stackB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  if (stackA.length + stackB.length === 0) return matrixProduct(a, b, layout);
  const isOne = (stack: Shape): boolean => sizeOf(stack) === 1;
  if (!isOne(stackB) || (layout === 'tn' && !isOne(stackA))) return batchedMatmul('matmul', a, b, { layout });
  const shape = broadcastShape('matmul', stackA, stackB);
  const { rows, width } = rowsOf(a.shape);
  const c = matrixProduct(a.reshape([rows, width]), b.reshape(b.shape.slice(-2)), layout);
  return c.reshape([...shape, layout === 'tn' ? width : (a.shape.at(-2) ?? 1), n]);
}

function matrixProduct(a: Tensor, b: Tensor, layout: MatmulLayout): Tensor<'f32'> {
  const graph = graphOf('matmul', a, b);
  const { m, k } = matchShape('matmul', 'a', a.shape, layout === 'tn' ? ['k', 'm'] : ['m', 'k']);
  const { n } = matchShape('matmul', 'b', b.shape, layout === 'nt' ? ['n', 'k'] : ['k', 'n'], { k });
  const shape = { layout, m, n, k };
  const out = graph.empty('matmul', [m, n], 'f32', a.requiresGrad || b.requiresGrad);
  recordMatmul(graph, shape, { a, b, out }, false);
  graph.record('matmul', [out], (gradients) => {
    const dOut = gradients.of(out);
    if (dOut) recordMatmulBackward(graph, shape, { a, b, dOut }, gradients.into);
  });
  return out;
}
