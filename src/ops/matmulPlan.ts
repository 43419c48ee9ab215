import type { MatrixUnit } from '../gpu/subgroupMatrix';

/** Which operand is stored transposed: `nn` A[m,k]·B[k,n], `nt` A[m,k]·B[n,k]ᵀ, `tn` A[k,m]ᵀ·B[k,n]. */
export type MatmulLayout = 'nn' | 'nt' | 'tn';

/** Shape of a product C[m, n] that sums over k. */
export interface MatmulShape {
  readonly layout: MatmulLayout;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** What the choice of a kernel depends on. */
export interface MatmulDevice {
  /** The adapter computes on the CPU. */
  readonly software: boolean;
  /** Range of subgroup sizes; absent where subgroups are not enabled. */
  readonly subgroups?: { readonly min: number; readonly max: number };
  /** Use the plain kernel that the others are checked against. */
  readonly plain?: boolean;
  /** Use matrix units: operands are rounded to f16. */
  readonly matrixUnit?: MatrixUnit;
}

/** A dispatch of one of the kernels of `matmul.wgsl`. */
export interface MatmulPlan {
  readonly kernel: 'matmulPlain' | 'matmulTile' | 'matmulRegister' | 'matmulShuffle' | 'matmulMatrix';
  /** Its parameters but those of the epilogue. */
  readonly params: Readonly<Record<string, number | boolean>>;
  readonly uniforms: { readonly m: number; readonly n: number; readonly k: number; readonly kSplit: number };
  readonly workgroups: readonly [number, number, number];
  /**
   * Above 1, the kernel writes partials[splits, m, n] instead of C, without an epilogue, and `sumPartials` adds them.
   */
  readonly splits: number;
}

/** Enough workgroups of 64 × 64 outputs to fill a GPU. */
const FILL = 128;
/** The fewest terms that are worth a split of their own. */
const SHORTEST_SPLIT = 128;
const K_STEP = 16;

/** How many consecutive k form one chain of the sum. It decides bits, so it depends on nothing but the shape. */
function splitLength({ layout, m, n, k }: MatmulShape): number {
  if (layout !== 'tn') return k;
  const tiles = Math.ceil(m / 64) * Math.ceil(n / 64);
  const splits = Math.max(1, Math.min(Math.floor(FILL / tiles), Math.floor(k / SHORTEST_SPLIT)));
  return splits === 1 ? k : Math.ceil(k / splits / K_STEP) * K_STEP;
}

/** Chooses the kernel of a product, its tile, its grid, and how k is split. */
export function planMatmul(shape: MatmulShape, device: MatmulDevice): MatmulPlan {
  const { layout, m, n, k } = shape;
  const kSplit = splitLength(shape);
  const uniforms = { m, n, k, kSplit };
  const transposition = { TRANS_A: layout === 'tn', TRANS_B: layout === 'nt' };
  const VEC = n % 4 === 0 && (layout === 'tn' ? m : k) % 4 === 0;
  const grid = (width: number, height: number): [number, number, number] => [
    Math.ceil(n / width),
    Math.ceil(m / height),
    1,
  ];
  if (device.plain) {
    const params = { ...transposition, VEC: false };
    return { kernel: 'matmulPlain', params, uniforms, workgroups: grid(8, 8), splits: 1 };
  }
  if (device.matrixUnit) return planMatrix(shape, kSplit, { ...transposition, VEC }, device.matrixUnit);
  if (device.software) {
    const common = { ...transposition, VEC, SPLIT: kSplit < k };
    const { subgroups } = device;
    if (subgroups && subgroups.min === subgroups.max) {
      const params = { ...common, TM: 16, TN: 8, LANES: subgroups.min };
      return { kernel: 'matmulShuffle', params, uniforms, workgroups: grid(8 * subgroups.min, 16), splits: 1 };
    }
    const params = { ...common, TM: 4, TN: 8, WIDTH: 8 };
    return { kernel: 'matmulRegister', params, uniforms, workgroups: grid(64, 4), splits: 1 };
  }
  const splits = Math.ceil(k / kSplit);
  const [BM, BN, TM] = tile(m, n, splits);
  const [x, y] = grid(BN, BM);
  const params = { ...transposition, VEC, BM, BN, TM };
  return { kernel: 'matmulTile', params, uniforms, workgroups: [x, y, splits], splits };
}

/** Four subgroups make 64 × 64 outputs, or, where that would leave a GPU idle, 32 × 32. */
function planMatrix({ m, n, k }: MatmulShape, kSplit: number, params: MatmulPlan['params'], { M, N, K }: MatrixUnit): MatmulPlan {
  const splits = Math.ceil(k / kSplit);
  const side = Math.ceil(m / 64) * Math.ceil(n / 64) * splits >= FILL ? 64 : 32;
  const share = { LEFTS: side / 2 / M, RIGHTS: side / 2 / N };
  return {
    kernel: 'matmulMatrix',
    params: { ...params, M, N, K, ...share, DOWN: 2, ACROSS: 2, LANES: 32 },
    uniforms: { m, n, k, kSplit },
    workgroups: [Math.ceil(n / side), Math.ceil(m / side), splits],
    splits,
  };
}

/** The largest tile of which there are enough to fill a GPU. */
function tile(m: number, n: number, splits: number): readonly [number, number, number] {
  const tiles = (height: number, width: number): number => Math.ceil(m / height) * Math.ceil(n / width) * splits;
  if (tiles(128, 64) >= 2 * FILL) return [128, 64, 8];
  if (tiles(64, 64) >= FILL) return [64, 64, 4];
  return [32, 32, 4];
}
