// Matrix product: C[m, n] (+)= epilogue(op(A)·op(B)), row-major and contiguous, in three layouts:
//
//   NN   A[m, k]·B[k, n]      dX of a linear layer
//   NT   A[m, k]·B[n, k]ᵀ     a linear layer, weight stored out × in      TRANS_B
//   TN   A[k, m]ᵀ·B[k, n]     dW of a linear layer                        TRANS_A
//
// Epilogue, in this order: BIAS adds bias[n] to each row; GELU writes the sum to pre[m, n] and goes on with its gelu;
// RESIDUAL adds residual[m, n]; GELU_GRAD multiplies by gelu'(pre[m, n]); ACCUMULATE adds what c holds.
//
// ROW_SUMS, of a TN product: rowSums[m] (+)= Σ_k op(A)[m, k] besides, the gradient of a bias in the pass that makes that
// of its weight. The workgroups of the first columns make them, in the order in which the product sums.
//
// VEC: the stored rows of A, B and C all have a multiple of four elements and are bound as vec4f; else as f32.
//
// A16, B16, C16, PRE16: a, b, c, pre are f16 in memory, else f32. Each element is made f32 when it is read and rounded when
// it is written; bias, residual and all sums are f32.
//
// Every output is the sum of its splits, in order, and each split one chain of fused multiply-adds over kSplit
// consecutive k (kSplit = k: a single chain). All kernels here keep that order, so on one driver they give the same bits:
//
//   matmulPlain      one output an invocation. The twin that the others are checked against.
//   matmulTile       GPUs: tiles in workgroup memory, TM × 4 outputs an invocation. A grid of several z runs split z
//                    and writes its partial product to c[z, m, n] for `splitKReduce`.
//   matmulRegister   software adapters: TM × TN outputs an invocation, straight from storage.
//   matmulShuffle    software adapters with subgroups: as matmulRegister, but A is loaded once a subgroup and shuffled.
//   matmulPanel      software adapters with subgroups of at most 4: many rows against a part of B in private memory.
//
// One kernel has an order of its own, and rounds A and B to f16 where they are not:
//
//   matmulMatrix     GPUs with matrix units, in f16: as matmulTile, but a subgroup makes whole matrices of the tile.
//
// On software adapters a load costs a scalar instruction a lane while arithmetic is nearly free, so there the splits
// are added in registers (SPLIT) instead of through memory.
//#use gelu
//#param TRANS_A: bool
//#param TRANS_B: bool
//#param VEC: bool
//#param BIAS: bool
//#param GELU: bool
//#param RESIDUAL: bool
//#param GELU_GRAD: bool
//#param ACCUMULATE: bool
//#param ROW_SUMS: bool
//#param ACCUMULATE_ROW_SUMS: bool
//#param A16: bool
//#param B16: bool
//#param C16: bool
//#param PRE16: bool
//#if A16 || B16 || C16 || PRE16
//#enable f16
//#end

struct Shape {
  m: u32,
  n: u32,
  k: u32,
  kSplit: u32,
}

//#if VEC
alias Cell = vec4f;
const CELL = 4u;
fn toCell(x: vec4f) -> Cell { return x; }
//#if A16 || B16 || C16 || PRE16
alias HalfCell = vec4h;
//#end
//#else
alias Cell = f32;
const CELL = 1u;
fn toCell(x: vec4f) -> Cell { return x.x; }
//#if A16 || B16 || C16 || PRE16
alias HalfCell = f16;
//#end
//#end if VEC
//#if A16
alias CellA = HalfCell;
//#else
alias CellA = Cell;
//#end
//#if B16
alias CellB = HalfCell;
//#else
alias CellB = Cell;
//#end
//#if C16
alias CellC = HalfCell;
//#else
alias CellC = Cell;
//#end
//#if PRE16
alias CellPre = HalfCell;
//#else
alias CellPre = Cell;
//#end

@group(0) @binding(0) var<storage, read> a: array<CellA>;
@group(0) @binding(1) var<storage, read> b: array<CellB>;
@group(0) @binding(2) var<storage, read_write> c: array<CellC>;
@group(0) @binding(3) var<uniform> shape: Shape;
//#if BIAS
@group(0) @binding(4) var<storage, read> bias: array<Cell>;
//#end
//#if GELU
@group(0) @binding(5) var<storage, read_write> pre: array<CellPre>;
//#end
//#if GELU_GRAD
@group(0) @binding(5) var<storage, read> pre: array<CellPre>;
//#end
//#if RESIDUAL
@group(0) @binding(6) var<storage, read> residual: array<Cell>;
//#end
//#if ROW_SUMS
@group(0) @binding(7) var<storage, read_write> rowSums: array<f32>;
//#end

//#for B in 0..2
//#if B
/// Four neighbours in a row of B as it is stored; zeros outside.
fn loadB(row: u32, column: u32) -> vec4f {
  let rows = ${TRANS_B} * shape.n + ${!TRANS_B} * shape.k;
  let columns = ${TRANS_B} * shape.k + ${!TRANS_B} * shape.n;
//#else
/// Four neighbours in a row of A as it is stored; zeros outside.
fn loadA(row: u32, column: u32) -> vec4f {
  let rows = ${TRANS_A} * shape.k + ${!TRANS_A} * shape.m;
  let columns = ${TRANS_A} * shape.m + ${!TRANS_A} * shape.k;
//#end
  let at = row * columns + column;
  //#if VEC && B
  return select(vec4f(), vec4f(b[at / 4]), row < rows && column < columns);
  //#end
  //#if VEC && !B
  return select(vec4f(), vec4f(a[at / 4]), row < rows && column < columns);
  //#end
  //#if !VEC
  var x = vec4f();
  if (row < rows) {
    //#for J in 0..4
    if (column + ${J} < columns) {
      //#if B
      x[${J}] = f32(b[at + ${J}]);
      //#else
      x[${J}] = f32(a[at + ${J}]);
      //#end
    }
    //#end for J
  }
  return x;
  //#end if !VEC
}
//#end for B

//#if VEC
fn elementOfA(at: u32) -> f32 { return f32(a[at / 4][at % 4]); }
fn elementOfB(at: u32) -> f32 { return f32(b[at / 4][at % 4]); }
//#else
fn elementOfA(at: u32) -> f32 { return f32(a[at]); }
fn elementOfB(at: u32) -> f32 { return f32(b[at]); }
//#end

/// Finishes one cell of the output and stores it, where it lies inside.
fn writeCell(split: u32, row: u32, column: u32, sum: Cell) {
  if (row >= shape.m || column >= shape.n) {
    return;
  }
  let at = ((split * shape.m + row) * shape.n + column) / CELL;
  var x = sum;
  //#if BIAS
  x += bias[column / CELL];
  //#end
  //#if GELU
  pre[at] = CellPre(x);
  x = toCell(gelu(vec4f(x)));
  //#end
  //#if RESIDUAL
  x += residual[at];
  //#end
  //#if GELU_GRAD
  x *= toCell(geluGradient(vec4f(Cell(pre[at]))));
  //#end
  //#if ACCUMULATE
  x += Cell(c[at]);
  //#end
  c[at] = CellC(x);
}

/// Finishes and stores four neighbours of an output row.
fn write(split: u32, row: u32, column: u32, sum: vec4f) {
  //#if VEC
  writeCell(split, row, column, sum);
  //#else
  //#for J in 0..4: writeCell(split, row, column + ${J}, sum[${J}]);
  //#end
}

//#if ROW_SUMS
/// Stores the sum of a row of op(A), where it lies inside.
fn writeRowSum(split: u32, row: u32, sum: f32) {
  if (row >= shape.m) {
    return;
  }
  let at = split * shape.m + row;
  //#if ACCUMULATE_ROW_SUMS
  rowSums[at] += sum;
  //#else
  rowSums[at] = sum;
  //#end
}

/// The sum of a row of op(A), split by split; of the last row where it lies outside.
fn rowSum(row: u32) -> f32 {
  let column = min(row, shape.m - 1);
  var total = 0.0;
  for (var begin = 0u; begin < shape.k; begin += shape.kSplit) {
    let end = min(begin + shape.kSplit, shape.k);
    var sum = 0.0;
    for (var k = begin; k < end; k++) {
      sum += elementOfA(k * shape.m + column);
    }
    total += sum;
  }
  return total;
}
//#end if ROW_SUMS

//#kernel matmulPlain
// One invocation an output. VEC is false.
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let column = id.x;
  if (row >= shape.m || column >= shape.n) {
    return;
  }
  var total = 0.0;
  for (var begin = 0u; begin < shape.k; begin += shape.kSplit) {
    let end = min(begin + shape.kSplit, shape.k);
    var sum = 0.0;
    for (var k = begin; k < end; k++) {
      //#if TRANS_A
      let x = elementOfA(k * shape.m + row);
      //#else
      let x = elementOfA(row * shape.k + k);
      //#end
      //#if TRANS_B
      let y = elementOfB(column * shape.k + k);
      //#else
      let y = elementOfB(k * shape.n + column);
      //#end
      sum = fma(x, y, sum);
    }
    total += sum;
  }
  writeCell(0, row, column, Cell(total));
  //#if ROW_SUMS
  if (column == 0) {
    writeRowSum(0, row, rowSum(row));
  }
  //#end
}

//#kernel matmulTile
// A workgroup makes a BM × BN tile of C from BM × 16 of A and 16 × BN of B at a time; an invocation TM × 4 of it.
// Both tiles lie in workgroup memory as vec4f, k-packed where k is contiguous in storage (so that nothing is transposed
// on the way in), else n- or m-packed. An invocation's rows are BM/TM apart and its columns adjacent; the k-packed tile
// of B is permuted and padded to five vec4f a column, so that neighbours read different banks.
//#param BM: u32
//#param BN: u32
//#param TM: u32
const THREADS_X = BN / 4;
const THREADS_Y = BM / TM;
const THREADS = THREADS_X * THREADS_Y;

var<workgroup> tileA: array<vec4f, BM * 4>;
//#if TRANS_B
var<workgroup> tileB: array<vec4f, BN * 5>;
//#else
var<workgroup> tileB: array<vec4f, BN * 4>;
//#end

@compute @workgroup_size(THREADS_X, THREADS_Y)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let firstRow = group.y * BM;
  let firstColumn = group.x * BN;
  let begin = group.z * shape.kSplit;
  let end = min(begin + shape.kSplit, shape.k);
  //#for I in 0..TM: var sum${I} = vec4f();
  //#if ROW_SUMS
  var sumA = vec4f();
  //#end
  for (var k = begin; k < end; k += 16) {
    for (var i = index; i < BM * 4; i += THREADS) {
      //#if TRANS_A
      tileA[i] = loadA(k + i / (BM / 4), firstRow + 4 * (i % (BM / 4)));
      //#else
      tileA[i] = loadA(firstRow + i / 4, k + 4 * (i % 4));
      //#end
    }
    for (var i = index; i < BN * 4; i += THREADS) {
      //#if TRANS_B
      let column = i / 4;
      tileB[(column % 4 * THREADS_X + column / 4) * 5 + i % 4] = loadB(firstColumn + column, k + 4 * (i % 4));
      //#else
      tileB[i] = loadB(k + i / (BN / 4), firstColumn + 4 * (i % (BN / 4)));
      //#end
    }
    workgroupBarrier();
    for (var q = 0u; q < 4; q++) {
      //#if TRANS_B
      //#for J in 0..4: let t${J} = tileB[(${J} * THREADS_X + local.x) * 5 + q];
      //#for J in 0..4: let b${J} = vec4f(t0[${J}], t1[${J}], t2[${J}], t3[${J}]);
      //#else
      //#for J in 0..4: let b${J} = tileB[(4 * q + ${J}) * (BN / 4) + local.x];
      //#end
      //#if TRANS_A
      //#for J in 0..4
      //#for Q in 0..TM/4: let a${J}_${Q} = tileA[(4 * q + ${J}) * (BM / 4) + ${Q} * THREADS_Y + local.y];
      //#for I in 0..TM: sum${I} = fma(vec4f(a${J}_${I / 4}[${I % 4}]), b${J}, sum${I});
      //#end
      //#else
      //#for I in 0..TM: let a${I} = tileA[(${I} * THREADS_Y + local.y) * 4 + q];
      //#for J in 0..4, I in 0..TM: sum${I} = fma(vec4f(a${I}[${J}]), b${J}, sum${I});
      //#end if TRANS_A
    }
    //#if ROW_SUMS
    if (group.x == 0 && index < BM / 4) {
      for (var q = 0u; q < 16; q++) {
        sumA += tileA[q * (BM / 4) + index];
      }
    }
    //#end
    workgroupBarrier();
  }
  //#if ROW_SUMS
  if (group.x == 0 && index < BM / 4) {
    //#for J in 0..4: writeRowSum(group.z, firstRow + 4 * index + ${J}, sumA[${J}]);
  }
  //#end
  let column = firstColumn + 4 * local.x;
  //#for I in 0..TM
  //#if TRANS_A
  write(group.z, firstRow + 4 * (${I / 4} * THREADS_Y + local.y) + ${I % 4}, column, sum${I});
  //#else
  write(group.z, firstRow + ${I} * THREADS_Y + local.y, column, sum${I});
  //#end
  //#end for I
}

//#kernel matmulRegister
// An invocation makes TM × TN outputs, four k at a time; the invocations of a workgroup lie side by side along n.
//#param SPLIT: bool
//#param TM: u32
//#param TN: u32
//#param WIDTH: u32
@compute @workgroup_size(WIDTH)
fn main(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let row = id.y * TM;
  let column = id.x * TN;
  //#for I in 0..TM, C in 0..TN/4: var sum${I}_${C} = vec4f();
  //#if SPLIT
  //#for I in 0..TM, C in 0..TN/4: var total${I}_${C} = vec4f();
  for (var begin = 0u; begin < shape.k; begin += shape.kSplit) {
  //#else
  let begin = 0u;
  //#end
  let end = min(begin + shape.kSplit, shape.k);
  for (var k = begin; k < end; k += 4) {
    //#for C in 0..TN/4
    //#if TRANS_B
    //#for J in 0..4: let t${C}_${J} = loadB(column + ${4 * C + J}, k);
    //#for J in 0..4: let y${J}_${C} = vec4f(t${C}_0[${J}], t${C}_1[${J}], t${C}_2[${J}], t${C}_3[${J}]);
    //#else
    //#for J in 0..4: let y${J}_${C} = loadB(k + ${J}, column + ${4 * C});
    //#end
    //#end for C
    //#if TRANS_A
    //#for J in 0..4
    //#for Q in 0..TM/4: let x${J}_${Q} = loadA(k + ${J}, row + ${4 * Q});
    //#for I in 0..TM, C in 0..TN/4: sum${I}_${C} = fma(vec4f(x${J}_${I / 4}[${I % 4}]), y${J}_${C}, sum${I}_${C});
    //#end
    //#else
    //#for I in 0..TM
    let x${I} = loadA(row + ${I}, k);
    //#for J in 0..4, C in 0..TN/4: sum${I}_${C} = fma(vec4f(x${I}[${J}]), y${J}_${C}, sum${I}_${C});
    //#end
    //#end if TRANS_A
  }
  //#if SPLIT
  //#for I in 0..TM, C in 0..TN/4
  total${I}_${C} += sum${I}_${C};
  sum${I}_${C} = vec4f();
  //#end
  }
  //#for I in 0..TM, C in 0..TN/4: sum${I}_${C} = total${I}_${C};
  //#end if SPLIT
  //#for I in 0..TM, C in 0..TN/4: write(0, row + ${I}, column + ${4 * C}, sum${I}_${C});
  //#if ROW_SUMS
  if (group.x == 0) {
    for (var i = index; i < TM; i += WIDTH) {
      writeRowSum(0, row + i, rowSum(row + i));
    }
  }
  //#end
}

//#kernel matmulShuffle
// An invocation makes TM × TN outputs; the LANES invocations of a workgroup lie side by side along n and share their
// rows. Of A, lane l of a subgroup loads what k + l needs, and all lanes get it by shuffle; of B, each loads its own.
// An invocation's columns follow its local index and its share of A its subgroup lane, so nothing is assumed of how the
// two correspond; what is needed is that lanes 0 … LANES−1 of each subgroup are active. UNROLL (1 or 0): the loop over lanes is
// written out, so that a shuffle is a broadcast from a lane known to the compiler; at the end of k, lanes share zeros.
//#enable subgroups
//#param SPLIT: bool
//#param TM: u32
//#param TN: u32
//#param LANES: u32
//#param UNROLL: u32
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let lane = subgroupLane % LANES;
  let row = group.y * TM;
  let column = (group.x * LANES + index) * TN;
  // Places outside are moved to the edge: what they give is never stored.
  //#if TRANS_A
  //#for I in 0..TM: let row${I} = min(row + ${I}, shape.m - 1);
  //#else
  //#for I in 0..TM: let row${I} = min(row + ${I}, shape.m - 1) * shape.k;
  //#end
  //#if TRANS_B
  //#for J in 0..TN: let column${J} = min(column + ${J}, shape.n - 1) * shape.k;
  //#else
  //#for J in 0..TN: let column${J} = min(column + ${J}, shape.n - 1);
  //#end
  //#for I in 0..TM, C in 0..TN/4: var sum${I}_${C} = vec4f();
  //#if SPLIT
  //#for I in 0..TM, C in 0..TN/4: var total${I}_${C} = vec4f();
  for (var begin = 0u; begin < shape.k; begin += shape.kSplit) {
  //#else
  let begin = 0u;
  //#end
  let end = min(begin + shape.kSplit, shape.k);
  for (var k = begin; k < end; k += LANES) {
    let mine = min(k + lane, shape.k - 1);
    let inside = f32(k + lane < end);
    //#if TRANS_A && VEC
    //#for Q in 0..TM/4: let x${Q} = inside * vec4f(a[(mine * shape.m + row${4 * Q}) / 4]);
    //#end
    //#if TRANS_A && !VEC
    //#for Q in 0..TM/4
    let x${Q} = inside * vec4f(
      //#for J in 0..4: f32(a[mine * shape.m + row${4 * Q + J}]),
    );
    //#end
    //#end if TRANS_A && !VEC
    //#if !TRANS_A
    //#for I in 0..TM: let x${I} = inside * elementOfA(row${I} + mine);
    //#end
    //#if UNROLL && VEC && TRANS_B
    //#for J in 0..TN, H in 0..LANES/4: let t${J}_${H} = vec4f(b[(column${J} + min(k + ${4 * H}, shape.k - 4)) / 4]);
    //#end
    //#if !UNROLL
    let lanes = min(LANES, end - k);
    for (var l = 0u; l < lanes; l++) {
    //#end
    //#for L in 0..1 + UNROLL * (LANES - 1)
    //#if UNROLL
    {
      let at = min(k + ${L}, shape.k - 1);
    //#else
      let at = k + l;
    //#end
      //#for C in 0..TN/4
      //#if VEC && !TRANS_B
      let y${C} = vec4f(b[(at * shape.n + column${4 * C}) / 4]);
      //#else
      let y${C} = vec4f(
        //#for J in 0..4
        //#if TRANS_B
        //#if UNROLL && VEC
        t${4 * C + J}_${L / 4}[${L % 4}],
        //#else
        elementOfB(column${4 * C + J} + at),
        //#end
        //#else
        elementOfB(at * shape.n + column${4 * C + J}),
        //#end if TRANS_B
        //#end for J
      );
      //#end if VEC && !TRANS_B
      //#end for C
      //#if TRANS_A
      //#for Q in 0..TM/4
      //#if UNROLL
      let s${Q} = subgroupBroadcast(x${Q}, ${L}u);
      //#else
      let s${Q} = subgroupShuffle(x${Q}, l);
      //#end
      //#end for Q
      //#for I in 0..TM, C in 0..TN/4: sum${I}_${C} = fma(vec4f(s${I / 4}[${I % 4}]), y${C}, sum${I}_${C});
      //#else
      //#for I in 0..TM
      //#if UNROLL
      let s${I} = subgroupBroadcast(x${I}, ${L}u);
      //#else
      let s${I} = subgroupShuffle(x${I}, l);
      //#end
      //#for C in 0..TN/4: sum${I}_${C} = fma(vec4f(s${I}), y${C}, sum${I}_${C});
      //#end for I
      //#end if TRANS_A
    }
    //#end for L
  }
  //#if SPLIT
  //#for I in 0..TM, C in 0..TN/4
  total${I}_${C} += sum${I}_${C};
  sum${I}_${C} = vec4f();
  //#end
  }
  //#for I in 0..TM, C in 0..TN/4: sum${I}_${C} = total${I}_${C};
  //#end if SPLIT
  //#for I in 0..TM, C in 0..TN/4: write(0, row + ${I}, column + ${4 * C}, sum${I}_${C});
  //#if ROW_SUMS
  if (group.x == 0) {
    for (var i = index; i < TM; i += LANES) {
      writeRowSum(0, row + i, rowSum(row + i));
    }
  }
  //#end
}

//#kernel matmulPanel
// A workgroup, which is one subgroup of LANES, makes up to ROWS × LANES·COLUMNS outputs, DEPTH terms at a time; the rows of
// the matrix are shared evenly among the workgroups of a column. Its part of B lies in private memory, a panel of DEPTH ×
// COLUMNS an invocation, and meets one row of A after the other: lane l loads what k = l, LANES + l, … need, and all
// lanes get it by broadcast.
//
// This is for a compiler that makes each load from storage some 70 instructions, a store to a variable 20, a broadcast 30,
// a multiplication with its sum 3, and that writes all it holds to the stack (SwiftShader's Subzero). So within DEPTH terms
// the sums of a row are values and never variables, and the panel is read by indices that the compiler knows, which is
// free. Where k is longer (DEEP), the sums wait in private memory for the next panel. VEC is false.
//#enable subgroups
//#param SPLIT: bool
//#param DEEP: bool
//#param ROWS: u32
//#param COLUMNS: u32
//#param DEPTH: u32
//#param LANES: u32
const QUADS = COLUMNS / 4;
var<private> panel: array<vec4f, DEPTH * QUADS>;
//#if DEEP
var<private> sums: array<vec4f, ROWS * QUADS>;
//#end
//#if SPLIT
var<private> totals: array<vec4f, ROWS * QUADS>;
//#end

/// Finishes and stores four outputs of a row, LANES columns apart.
fn writeStrided(row: u32, column: u32, sum: vec4f) {
  if (row >= shape.m) {
    return;
  }
  let columns = column + vec4u(0, 1, 2, 3) * LANES;
  let inside = min(columns, vec4u(shape.n - 1));
  let at = row * shape.n + inside;
  var x = sum;
  //#if BIAS
  x += vec4f(bias[inside.x], bias[inside.y], bias[inside.z], bias[inside.w]);
  //#end
  //#if GELU
  let before = x;
  x = gelu(x);
  //#end
  //#if RESIDUAL
  x += vec4f(residual[at.x], residual[at.y], residual[at.z], residual[at.w]);
  //#end
  //#if GELU_GRAD
  x *= geluGradient(vec4f(f32(pre[at.x]), f32(pre[at.y]), f32(pre[at.z]), f32(pre[at.w])));
  //#end
  //#if ACCUMULATE
  x += vec4f(f32(c[at.x]), f32(c[at.y]), f32(c[at.z]), f32(c[at.w]));
  //#end
  //#for J in 0..4
  if (columns[${J}] < shape.n) {
    //#if GELU
    pre[at[${J}]] = CellPre(before[${J}]);
    //#end
    c[at[${J}]] = CellC(x[${J}]);
  }
  //#end for J
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let lane = subgroupLane % LANES;
  let share = (shape.m + groups.y - 1) / groups.y;
  let firstRow = min(group.y * share, shape.m);
  let rows = min(share, shape.m - firstRow);
  let firstColumn = group.x * LANES * COLUMNS + index;
  // Places outside are moved to the edge: what they give is never stored.
  //#for C in 0..COLUMNS: let column${C} = min(firstColumn + ${C} * LANES, shape.n - 1);
  //#if SPLIT
  for (var begin = 0u; begin < shape.k; begin += shape.kSplit) {
  //#else
  let begin = 0u;
  //#end
  let end = min(begin + shape.kSplit, shape.k);
  //#if DEEP
  for (var k = begin; k < end; k += DEPTH) {
  //#else
  let k = begin;
  //#end
    for (var q = 0u; q < DEPTH; q++) {
      let at = min(k + q, shape.k - 1);
      //#for D in 0..COLUMNS/4
      panel[q * QUADS + ${D}] = vec4f(
        //#for J in 0..4
        //#if TRANS_B
        elementOfB(column${4 * D + J} * shape.k + at),
        //#else
        elementOfB(at * shape.n + column${4 * D + J}),
        //#end
        //#end for J
      );
      //#end for D
    }
    // Terms beyond the end are zeros.
    //#for Q in 0..DEPTH/LANES
    let inside${Q} = f32(k + ${Q} * LANES + lane < end);
    //#if TRANS_A
    let at${Q} = min(k + ${Q} * LANES + lane, shape.k - 1) * shape.m + firstRow;
    //#else
    let at${Q} = min(k + ${Q} * LANES + lane, shape.k - 1) + firstRow * shape.k;
    //#end
    //#end for Q
    for (var i = 0u; i < rows; i++) {
      //#if TRANS_A
      let row = i;
      //#else
      let row = i * shape.k;
      //#end
      //#for D in 0..COLUMNS/4
      //#if DEEP
      let sum0_${D} = sums[i * QUADS + ${D}];
      //#else
      let sum0_${D} = vec4f();
      //#end
      //#end for D
      //#for Q in 0..DEPTH/LANES
      let x${Q} = inside${Q} * elementOfA(at${Q} + row);
      //#for L in 0..LANES
      let s${Q * LANES + L} = vec4f(subgroupBroadcast(x${Q}, ${L}u));
      //#for D in 0..COLUMNS/4
      let sum${Q * LANES + L + 1}_${D} = fma(s${Q * LANES + L}, panel[${(Q * LANES + L) * COLUMNS / 4 + D}], sum${Q * LANES + L}_${D});
      //#end
      //#end for L
      //#end for Q
      //#for D in 0..COLUMNS/4
      //#if DEEP
      sums[i * QUADS + ${D}] = sum${DEPTH}_${D};
      //#end
      //#if SPLIT && !DEEP
      totals[i * QUADS + ${D}] += sum${DEPTH}_${D};
      //#end
      //#if !SPLIT && !DEEP
      writeStrided(firstRow + i, firstColumn + ${4 * D} * LANES, sum${DEPTH}_${D});
      //#end
      //#end for D
    }
  //#if DEEP
  }
  //#end
  //#if SPLIT
  //#if DEEP
  for (var i = 0u; i < rows * QUADS; i++) {
    totals[i] += sums[i];
    sums[i] = vec4f();
  }
  //#end
  }
  //#end if SPLIT
  //#if DEEP || SPLIT
  for (var i = 0u; i < rows; i++) {
    //#for D in 0..COLUMNS/4
    //#if SPLIT
    let sum${D} = totals[i * QUADS + ${D}];
    //#else
    let sum${D} = sums[i * QUADS + ${D}];
    //#end
    writeStrided(firstRow + i, firstColumn + ${4 * D} * LANES, sum${D});
    //#end for D
  }
  //#end if DEEP || SPLIT
  //#if ROW_SUMS
  if (group.x == 0) {
    for (var i = index; i < rows; i += LANES) {
      writeRowSum(0, firstRow + i, rowSum(firstRow + i));
    }
  }
  //#end
}

//#kernel matmulMatrix
// A workgroup makes a BM × BN tile of C from BM × BK of A and BK × BN of B at a time, which lie in workgroup memory as they
// do in storage, in f16 and with zeros where the matrices end: matrix loads know no bounds. DOWN × ACROSS parts of the tile,
// LEFTS × RIGHTS matrices of M × N each, are made by a subgroup each, in f32. Single elements of a matrix can't be reached,
// so results go out through workgroup memory, a matrix a subgroup at a time, where each invocation finishes four neighbours.
// A grid of several z is as in matmulTile.
//
// Nothing depends on how large subgroups are: where there are fewer than parts, the tile is made in several rounds; where
// there are more, some make what nobody stores.
//#param M: u32
//#param N: u32
//#param K: u32
//#param LEFTS: u32
//#param RIGHTS: u32
//#param DOWN: u32
//#param ACROSS: u32
//#param LANES: u32
//#use subgroupMatrix
const PARTS = DOWN * ACROSS;
const THREADS = LANES * PARTS;
const BM = DOWN * LEFTS * M;
const BN = ACROSS * RIGHTS * N;
const BK = 32u;
// Rows are padded by 16 bytes, so that neighbouring ones start in different banks.
//#if TRANS_A
const PITCH_A = BM + 8;
const STEP_M = 1u;
const STEP_KA = PITCH_A;
var<workgroup> tileA: array<f16, BK * PITCH_A>;
//#else
const PITCH_A = BK + 8;
const STEP_M = PITCH_A;
const STEP_KA = 1u;
var<workgroup> tileA: array<f16, BM * PITCH_A>;
//#end
//#if TRANS_B
const PITCH_B = BK + 8;
const STEP_N = PITCH_B;
const STEP_KB = 1u;
var<workgroup> tileB: array<f16, BN * PITCH_B>;
//#else
const PITCH_B = BN + 8;
const STEP_N = 1u;
const STEP_KB = PITCH_B;
var<workgroup> tileB: array<f16, BK * PITCH_B>;
//#end
var<workgroup> tileC: array<f32, PARTS * M * N>;
//#if ROW_SUMS
// Of A as it is rounded here, like the product's own terms.
var<workgroup> sumsOfA: array<f32, BM>;
//#end

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
) {
  let firstRow = group.y * BM;
  let firstColumn = group.x * BN;
  let begin = group.z * shape.kSplit;
  let end = min(begin + shape.kSplit, shape.k);
  for (var firstPart = 0u; firstPart < PARTS; firstPart += subgroups) {
    let part = min(firstPart + subgroup, PARTS - 1);
    let partAtA = part / ACROSS * LEFTS * M * STEP_M;
    let partAtB = part % ACROSS * RIGHTS * N * STEP_N;
    //#for I in 0..LEFTS, J in 0..RIGHTS: var sum${I}_${J} = Result();
    for (var k = begin; k < end; k += BK) {
      for (var i = 4 * index; i < BM * BK; i += 4 * THREADS) {
        //#if TRANS_A
        let row = i / BM;
        let column = i % BM;
        let x = select(vec4f(), loadA(k + row, firstRow + column), k + row < end);
        //#else
        let row = i / BK;
        let column = i % BK;
        let x = select(vec4f(), loadA(firstRow + row, k + column), k + column < end);
        //#end
        //#for J in 0..4: tileA[row * PITCH_A + column + ${J}] = f16(x[${J}]);
      }
      for (var i = 4 * index; i < BN * BK; i += 4 * THREADS) {
        //#if TRANS_B
        let row = i / BK;
        let column = i % BK;
        let x = select(vec4f(), loadB(firstColumn + row, k + column), k + column < end);
        //#else
        let row = i / BN;
        let column = i % BN;
        let x = select(vec4f(), loadB(k + row, firstColumn + column), k + row < end);
        //#end
        //#for J in 0..4: tileB[row * PITCH_B + column + ${J}] = f16(x[${J}]);
      }
      workgroupBarrier();
      //#for S in 0..32/K
      //#for J in 0..RIGHTS: let right${S}_${J} = loadRight(partAtB + ${J} * N * STEP_N + ${S} * K * STEP_KB);
      //#for I in 0..LEFTS
      let left${S}_${I} = loadLeft(partAtA + ${I} * M * STEP_M + ${S} * K * STEP_KA);
      //#for J in 0..RIGHTS: sum${I}_${J} = multiplyAdd(left${S}_${I}, right${S}_${J}, sum${I}_${J});
      //#end
      //#end for S
      //#if ROW_SUMS
      if (group.x == 0 && firstPart == 0) {
        for (var i = index; i < BM; i += THREADS) {
          for (var q = 0u; q < BK; q++) {
            sumsOfA[i] += f32(tileA[q * PITCH_A + i]);
          }
        }
      }
      //#end
      workgroupBarrier();
    }
    //#if ROW_SUMS
    if (group.x == 0 && firstPart == 0) {
      for (var i = index; i < BM; i += THREADS) {
        writeRowSum(group.z, firstRow + i, sumsOfA[i]);
      }
    }
    //#end
    //#for I in 0..LEFTS, J in 0..RIGHTS
    if (firstPart + subgroup < PARTS) {
      storeResult(part * M * N, sum${I}_${J});
    }
    workgroupBarrier();
    for (var i = 4 * index; i < PARTS * M * N; i += 4 * THREADS) {
      let made = i / (M * N);
      if (made >= firstPart && made < firstPart + subgroups) {
        let row = (made / ACROSS * LEFTS + ${I}) * M + i % (M * N) / N;
        let column = (made % ACROSS * RIGHTS + ${J}) * N + i % N;
        write(group.z, firstRow + row, firstColumn + column, vec4f(tileC[i], tileC[i + 1], tileC[i + 2], tileC[i + 3]));
      }
    }
    workgroupBarrier();
    //#end for I, J
  }
}
