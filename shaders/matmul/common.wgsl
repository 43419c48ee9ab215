// Matrix product: C[m, n] (+)= epilogue(op(A)·op(B)), row-major and contiguous, in three layouts:
//
//   NN   A[m, k]·B[k, n]      dX of a linear layer
//   NT   A[m, k]·B[n, k]ᵀ     a linear layer, weight stored out × in      TRANS_B
//   TN   A[k, m]ᵀ·B[k, n]     dW of a linear layer                        TRANS_A
//
// Epilogue, in this order: BIAS adds bias[n] to each row; GELU writes the sum to pre[m, n] and goes on with its gelu;
// RESIDUAL adds residual[m, n]; GELU_GRAD multiplies by gelu'(pre[m, n]); ACCUMULATE adds what c holds.
//
// ROW_SUMS, of a TN product: rowSums[m] (+)= Σ_k op(A)[m, k] besides, the gradient of a bias in the pass that makes
// that of its weight. The workgroups of the first columns make them, in the order in which the product sums.
//
// VEC: the stored rows of A, B and C all have a multiple of four elements and are bound as vec4f; else as f32.
//
// A16, B16, C16, PRE16: a, b, c, pre are f16 in memory, else f32. Each element is made f32 when it is read and rounded
// when it is written; bias, residual and all sums are f32.
//
// Every output is the sum of its splits, in order, and each split one chain of fused multiply-adds over kSplit
// consecutive k (kSplit = k: a single chain). All kernels but the last keep that order, so on one driver they give the
// same bits. The ladder, a file a kernel:
//
//   plain     matmulPlain     the reference, which the others are checked against: an invocation an output
//   register  matmulRegister  an invocation TM × TN outputs, straight from storage: software adapters
//   shuffle   matmulShuffle   as register, but a subgroup loads its part of A once: software adapters with subgroups
//   panel     matmulPanel     many rows against a part of B in private memory: software adapters, subgroups of four
//   tile      matmulTile      tiles of A and B in workgroup memory, TM × 4 outputs an invocation: GPUs
//   matrix    matmulMatrix    as tile, but a subgroup makes whole matrices of the tile: GPUs with matrix units, in f16.
//                             It has an order of its own, and rounds A and B to f16 where they are not
//
// On software adapters a load costs a scalar instruction a lane while arithmetic is nearly free, so there the splits
// are added in registers (SPLIT). On GPUs a grid of several z runs split z and writes its partial product to c[z, m, n]
// for `splitKReduce`. Which kernel runs, and with which parameters, says src/ops/matmulPlan.ts.
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

struct Sizes {
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
@group(0) @binding(3) var<uniform> sizes: Sizes;
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

/// Four neighbours in a row of A as it is stored; zeros outside.
fn loadA(row: u32, column: u32) -> vec4f {
  let rows = ${TRANS_A} * sizes.k + ${!TRANS_A} * sizes.m;
  let columns = ${TRANS_A} * sizes.m + ${!TRANS_A} * sizes.k;
  let at = row * columns + column;
  //#if VEC
  return select(vec4f(), vec4f(a[at / 4]), row < rows && column < columns);
  //#else
  var x = vec4f();
  if (row < rows) {
    //#for J in 0..4
    if (column + ${J} < columns) {
      x[${J}] = f32(a[at + ${J}]);
    }
    //#end
  }
  return x;
  //#end if VEC
}

/// Four neighbours in a row of B as it is stored; zeros outside.
fn loadB(row: u32, column: u32) -> vec4f {
  let rows = ${TRANS_B} * sizes.n + ${!TRANS_B} * sizes.k;
  let columns = ${TRANS_B} * sizes.k + ${!TRANS_B} * sizes.n;
  let at = row * columns + column;
  //#if VEC
  return select(vec4f(), vec4f(b[at / 4]), row < rows && column < columns);
  //#else
  var x = vec4f();
  if (row < rows) {
    //#for J in 0..4
    if (column + ${J} < columns) {
      x[${J}] = f32(b[at + ${J}]);
    }
    //#end
  }
  return x;
  //#end if VEC
}

//#if VEC
fn elementOfA(at: u32) -> f32 { return f32(a[at / 4][at % 4]); }
fn elementOfB(at: u32) -> f32 { return f32(b[at / 4][at % 4]); }
//#else
fn elementOfA(at: u32) -> f32 { return f32(a[at]); }
fn elementOfB(at: u32) -> f32 { return f32(b[at]); }
//#end

/// Finishes one cell of the output and stores it, where it lies inside.
fn writeCell(split: u32, row: u32, column: u32, sum: Cell) {
  if (row >= sizes.m || column >= sizes.n) {
    return;
  }
  let at = ((split * sizes.m + row) * sizes.n + column) / CELL;
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
  if (row >= sizes.m) {
    return;
  }
  let at = split * sizes.m + row;
  //#if ACCUMULATE_ROW_SUMS
  rowSums[at] += sum;
  //#else
  rowSums[at] = sum;
  //#end
}

/// The sum of a row of op(A), split by split; of the last row where it lies outside.
fn rowSum(row: u32) -> f32 {
  let column = min(row, sizes.m - 1);
  var total = 0.0;
  for (var begin = 0u; begin < sizes.k; begin += sizes.kSplit) {
    let end = min(begin + sizes.kSplit, sizes.k);
    var sum = 0.0;
    for (var k = begin; k < end; k++) {
      sum += elementOfA(k * sizes.m + column);
    }
    total += sum;
  }
  return total;
}

/// Makes and stores the sums of `rows` rows of op(A), of which each of `width` invocations takes its share.
fn writeRowSums(first: u32, rows: u32, local: u32, width: u32) {
  for (var i = local; i < rows; i += width) {
    writeRowSum(0, first + i, rowSum(first + i));
  }
}
//#end if ROW_SUMS
