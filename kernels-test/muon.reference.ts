import { adamwStep, type AdamWReference } from './adamw.reference';
import { MUON_COEFFICIENTS, MUON_ITERATIONS } from '../src/optim/muon';

/** A parameter in float64, with the matrices that it is; none: it is AdamW's. */
export interface MuonReference extends AdamWReference {
  readonly shape: readonly number[];
  readonly matrices: number;
}

type Options = Parameters<typeof adamwStep>[2] & { readonly rate: number };

/** One step of AdamW, in which some matrices are moved by Muon. */
export function muonStep(
  parameters: readonly MuonReference[],
  gradients: readonly Float64Array[],
  options: Options,
): void {
  const { learningRate, factor, betas, weightDecay, rate: share } = options;
  for (const [index, parameter] of parameters.entries()) {
    const { value, m, shape, matrices } = parameter;
    const gradient = gradients[index] ?? new Float64Array(value.length);
    const before = value.slice();
    adamwStep([parameter], [gradient], options);
    if (matrices === 0) continue;
    const aim = gradient.map((g, i) => factor * g + betas[0] * ((m[i] as number) - factor * g));
    const rows = shape[0] ?? 1;
    const [outputs, inputs] = [rows / matrices, value.length / rows];
    const rate = share * Math.sqrt(Math.max(1, outputs / inputs));
    for (let at = 0; at < value.length; at += outputs * inputs) {
      const direction = orthogonalised(aim.subarray(at, at + outputs * inputs), outputs, inputs);
      direction.forEach((y, i) => {
        const from = before[at + i] as number;
        value[at + i] = from - learningRate * weightDecay * from - learningRate * rate * y;
      });
    }
  }
}

/** Newton-Schulz on U / ‖U‖, [rows, columns], row by row: X ← a·X + (b·A + c·A²)·X with A = X·Xᵀ. */
export function orthogonalised(u: Float64Array, rows: number, columns: number): Float64Array {
  const [a, b, c] = MUON_COEFFICIENTS;
  const norm = Math.sqrt(u.reduce((sum, x) => sum + x * x, 0)) + 1e-7;
  let x = u.map((value) => value / norm);
  for (let iteration = 0; iteration < MUON_ITERATIONS; iteration++) {
    const gram = product(x, transposed(x, rows, columns), rows, columns, rows);
    const square = product(gram, gram, rows, rows, rows);
    const polynomial = gram.map((value, i) => b * value + c * (square[i] as number));
    const moved = product(polynomial, x, rows, rows, columns);
    x = x.map((value, i) => a * value + (moved[i] as number));
  }
  return x;
}

function transposed(x: Float64Array, rows: number, columns: number): Float64Array {
  return Float64Array.from(x, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)] as number);
}

function product(left: Float64Array, right: Float64Array, m: number, k: number, n: number): Float64Array {
  return Float64Array.from({ length: m * n }, (_, at) => {
    let sum = 0;
    for (let i = 0; i < k; i++)
      sum += (left[Math.floor(at / n) * k + i] as number) * (right[i * n + (at % n)] as number);
    return sum;
  });
}
