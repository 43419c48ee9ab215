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
  /** Lanes of a subgroup where few of them leave most registers to each: a lane of Intel's then has 128. */
  readonly narrowLanes?: number | undefined;
  /** Workgroup memory that a kernel may take; by default what every device has. */
  readonly workgroupBytes?: number;
  /** Use the plain kernel that the others are checked against. */
  readonly plain?: boolean;
  /** Use matrix units: operands are rounded to f16. */
  readonly matrixUnit?: MatrixUnit;
}

/** One of the kernels of `shaders/matmul/`, with a tile. */
export interface MatmulVariant {
  readonly kernel: 'matmulPlain' | 'matmulTile' | 'matmulRegister' | 'matmulShuffle' | 'matmulPanel' | 'matmulMatrix';
  /** Its parameters but those of the epilogue. */
  readonly params: Readonly<Record<string, number | boolean>>;
  readonly workgroups: readonly [number, number, number];
}

/** A dispatch of one of them. */
export interface MatmulPlan extends MatmulVariant {
  readonly uniforms: { readonly m: number; readonly n: number; readonly k: number; readonly kSplit: number };
  /** Other variants, with the same bits, which measurement may prefer on an adapter. */
  readonly others: readonly MatmulVariant[];
  /**
   * Above 1, the kernel writes partials[splits, m, n] instead of C, without an epilogue, and `splitKReduce` adds them.
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
  if (layout !== 'tn' || k === 0) return Math.max(1, k); // a sum of no terms is one split, too
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
    return { kernel: 'matmulPlain', params, uniforms, workgroups: grid(8, 8), splits: 1, others: [] };
  }
  if (device.matrixUnit) return planMatrix(shape, kSplit, { ...transposition, VEC }, device.matrixUnit);
  if (device.software) {
    const [first, ...others] = softwareWays(device, shape, kSplit, { ...transposition, VEC, SPLIT: kSplit < k });
    return { ...first, uniforms, splits: 1, others };
  }
  const splits = Math.ceil(k / kSplit);
  const TAIL = k % K_STEP > 0;
  const variant = ([BM, BN, TM, TN]: Tile): MatmulVariant => {
    const [x, y] = grid(BN, BM);
    const params = { ...transposition, VEC, TAIL, BM, BN, TM, TN };
    return { kernel: 'matmulTile', params, workgroups: [x, y, splits] };
  };
  const chosen = tile(m, n, splits);
  const others = TILES.filter(
    (other) =>
      String(other) !== String(chosen) &&
      other[0] < 2 * m &&
      other[1] < 2 * n &&
      !(device.narrowLanes && layout === 'tn' && other[2] * other[3] > MOST_RESULTS_OF_128) &&
      tileBytes(layout, other) <= (device.workgroupBytes ?? DEFAULT_WORKGROUP_BYTES),
  );
  return { ...variant(chosen), uniforms, splits, others: others.map(variant) };
}

/** BM, BN, TM, TN of `matmulTile`. */
type Tile = readonly [BM: number, BN: number, TM: number, TN: number];

/** Tiles of 64 to 256 invocations, all but the first within WebGPU's default limits. */
const TILES: readonly Tile[] = [
  [128, 128, 8, 8],
  [128, 64, 8, 8],
  [128, 64, 8, 4],
  [64, 128, 8, 4],
  [64, 64, 8, 4],
  [64, 64, 4, 4],
  [64, 32, 4, 4],
  [32, 64, 4, 4],
  [32, 32, 4, 4],
];

/** Results of an invocation that fit into 128 registers with both operands, where both lie across k. */
const MOST_RESULTS_OF_128 = 32;

/** Workgroup memory that every device has. */
const DEFAULT_WORKGROUP_BYTES = 16384;

/** What a tile takes of workgroup memory: operands whose k is contiguous are padded. */
function tileBytes(layout: MatmulLayout, [BM, BN]: Tile): number {
  return 64 * (BM + (layout === 'tn' ? 0 : 2) + BN + (layout === 'nt' ? 10 : 0));
}

/** Four subgroups make 64 × 64 outputs, or, where that would leave a GPU idle, 32 × 32. */
function planMatrix(
  { m, n, k }: MatmulShape,
  kSplit: number,
  params: MatmulPlan['params'],
  { M, N, K }: MatrixUnit,
): MatmulPlan {
  const splits = Math.ceil(k / kSplit);
  const side = Math.ceil(m / 64) * Math.ceil(n / 64) * splits >= FILL ? 64 : 32;
  const share = { LEFTS: side / 2 / M, RIGHTS: side / 2 / N };
  return {
    kernel: 'matmulMatrix',
    params: { ...params, M, N, K, ...share, DOWN: 2, ACROSS: 2, LANES: 32 },
    uniforms: { m, n, k, kSplit },
    workgroups: [Math.ceil(n / side), Math.ceil(m / side), splits],
    splits,
    others: [],
  };
}

/** The largest tile of which there are enough to fill a GPU. */
function tile(m: number, n: number, splits: number): Tile {
  const tiles = (height: number, width: number): number => Math.ceil(m / height) * Math.ceil(n / width) * splits;
  if (tiles(128, 64) >= 2 * FILL) return [128, 64, 8, 4];
  if (tiles(64, 64) >= FILL) return [64, 64, 4, 4];
  return [32, 32, 4, 4];
}

/** Multiplications in a split from which on a panel's arithmetic saves what its compilation costs, in some thousand runs. */
const MIN_PANEL_PRODUCTS = 2 ** 18;

/** The variants of software adapters: results in registers, a subgroup's lanes sharing what they load where they can. */
function softwareWays(
  { subgroups }: MatmulDevice,
  { m, n }: MatmulShape,
  kSplit: number,
  common: MatmulVariant['params'],
): [MatmulVariant, ...MatmulVariant[]] {
  const grid = (width: number, height: number): [number, number, number] => [
    Math.ceil(n / width),
    Math.ceil(m / height),
    1,
  ];
  const register = (TM: number, TN: number): MatmulVariant => {
    const WIDTH = 8;
    return { kernel: 'matmulRegister', params: { ...common, TM, TN, WIDTH }, workgroups: grid(WIDTH * TN, TM) };
  };
  if (!subgroups || subgroups.min !== subgroups.max) return [register(4, 8), register(8, 4)];
  const LANES = subgroups.min;
  const shuffle = (TM: number, TN: number, unrolled: boolean): MatmulVariant => {
    const params = { ...common, TM, TN, LANES, UNROLL: Number(unrolled) };
    return { kernel: 'matmulShuffle', params, workgroups: grid(LANES * TN, TM) };
  };
  const panel = (COLUMNS: number): MatmulVariant => {
    const ROWS = 64;
    // Deeper panels are no faster, and compile longer. Sums in splits compile longest: they share a depth and so a kernel.
    const DEPTH = common.SPLIT ? 40 : padded(Math.ceil(kSplit / Math.ceil(kSplit / 48)), 8);
    const params = { ...common, VEC: false, DEEP: kSplit > DEPTH, ROWS, COLUMNS, DEPTH, LANES };
    // Many rows make a panel worth its loading; some workgroups are needed for the processor's cores.
    const [across, down] = grid(LANES * COLUMNS, ROWS);
    const shares = Math.min(Math.ceil(4 / across), Math.ceil(m / 36));
    return { kernel: 'matmulPanel', params, workgroups: [across, Math.max(down, shares), 1] };
  };
  // Measured: SwiftShader, of 4 lanes, is up to twice as fast with panels, which waste least where they fit into n, and
  // takes shuffles written out; lavapipe, of 8, rolled ones. Larger tiles are no faster at the model's shapes and
  // compile for seconds.
  if (LANES > 4) return [shuffle(16, 8, false), shuffle(8, 8, false), shuffle(16, 8, true), register(4, 8)];
  // What is over in a moment whatever computes it: kernels that compile in a tenth of the time.
  if (m * n * kSplit < MIN_PANEL_PRODUCTS) return [shuffle(4, 4, true), shuffle(8, 8, true), register(4, 8)];
  const widths = common.SPLIT ? [12, 16, 8] : [16, 12, 8];
  widths.sort((a, b) => padded(n, LANES * a) - padded(n, LANES * b));
  const [first = 16, second = 12] = widths;
  return [panel(first), panel(second), shuffle(16, 8, true), shuffle(8, 8, true), register(4, 8)];
}

/** The next multiple of `step`. */
function padded(count: number, step: number): number {
  return Math.ceil(count / step) * step;
}
