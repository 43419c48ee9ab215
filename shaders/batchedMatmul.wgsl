// batchedMatmul: stacks of matrix products, and in the head what makes any product of two things that are read term by term.
//
//   C[b, m, n] (+)= scale · Σ_r Σ_k A[b, r, m, k] · B[b, r, k, n]
//
// Shapes   C is [b, m, n]. A and B lie anywhere: steps along their rows and columns, along each of KEPT batch axes (b) and each
//          of REDUCED ones (r); a step of 0 is an axis along which an operand is stretched. Gradients of stretched operands sum over r.
//          Terms are numbered r·depth + k. In splits of kSplit terms each writes a C of its own, which splitKReduce.wgsl adds up.
// Mapping  a workgroup of ROWS × COLUMNS invocations makes a tile of C, an invocation TM × TN of it. Each output is one chain
//          of fused multiply-adds a split, so that both ways give the same bits; their order follows from the shapes.
//          By tiles, of ROWS = COLUMNS = SIDE and 4 × 4: for every SIDE terms the workgroup brings 4·SIDE rows of A and columns
//          of B to its memory: an invocation four neighbours of one term, as a vec4f. Where terms are neighbours in memory
//          (runsA, runsB), neighbouring invocations load neighbouring terms, else neighbouring rows. Memory has a vec4f more a
//          term than it needs, so that both ways write different banks.
//          DIRECT: an invocation reads what it multiplies by itself, term by term: for a few rows, of which a tile would be mostly
//          empty, and where barriers cost more than reads. Neighbours take neighbouring columns, and rows of A are the same for
//          all of a line of invocations.
//
// A kernel that uses this head states, beside c and sizes: placeA(batch, row), termA(term), loadA(place, term), runsA(), the same of
// B and its columns; Term with both terms, termOf(term) and following(term, next), the one after it; and of what is stored
// columnPlace(batch, column) and keep(tile, row, column, at, sum), which puts what it makes of a sum to a row below `at`.

//#param DIRECT: bool
//#param ROWS: u32
//#param COLUMNS: u32
//#param TM: u32
//#param TN: u32
//#param ACCUMULATE: bool
const HEIGHT = ROWS * TM;
const WIDTH = COLUMNS * TN;
//#if DIRECT
const APART = COLUMNS;
//#else
const APART = 1u;
const SIDE = ROWS;
const PITCH = SIDE + 1;
var<workgroup> tileA: array<vec4f, SIDE * PITCH>;
var<workgroup> tileB: array<vec4f, SIDE * PITCH>;
//#end

/// What a workgroup makes: its batch and split, the first row and column, its terms; none where it has nothing to do.
struct Tile { batch: u32, split: u32, row: u32, column: u32, begin: u32, end: u32, isInside: bool }

fn tileOf(at: u32) -> Tile {
  let across = (sizes.n + WIDTH - 1) / WIDTH;
  let down = (sizes.m + HEIGHT - 1) / HEIGHT;
  let stack = at / (across * down);
  let split = stack % sizes.splits;
  let begin = split * sizes.kSplit;
  let isInside = stack / sizes.splits < sizes.batches;
  let end = select(begin, min(begin + sizes.kSplit, sizes.k), isInside);
  return Tile(stack / sizes.splits, split, at / across % down * HEIGHT, at % across * WIDTH, begin, end, isInside);
}

fn put(at: u32, value: f32) {
  //#if ACCUMULATE
  c[at] += value;
  //#else
  c[at] = value;
  //#end
}

//#if !DIRECT
/// Rows 4·(local / SIDE) and columns 4·(local % SIDE) of the tile, four each. Rows and columns outside are those of the edge.
fn productOf(tile: Tile, local: u32) -> mat4x4f {
  let byTerm = vec2u(local / SIDE, local % SIDE);
  let fromA = select(byTerm.yx, byTerm, runsA());
  let fromB = select(byTerm.yx, byTerm, runsB());
  //#for I in 0..4: let a${I} = placeA(tile.batch, min(tile.row + 4 * fromA.x + ${I}, sizes.m - 1));
  //#for I in 0..4: let b${I} = placeB(tile.batch, min(tile.column + 4 * fromB.x + ${I}, sizes.n - 1));
  var sum: mat4x4f;
  for (var k = tile.begin; k < tile.end; k += SIDE) {
    var left = vec4f();
    if (k + fromA.y < tile.end) {
      let term = termA(k + fromA.y);
      left = vec4f(loadA(a0, term), loadA(a1, term), loadA(a2, term), loadA(a3, term));
    }
    var right = vec4f();
    if (k + fromB.y < tile.end) {
      let term = termB(k + fromB.y);
      right = vec4f(loadB(b0, term), loadB(b1, term), loadB(b2, term), loadB(b3, term));
    }
    tileA[fromA.y * PITCH + fromA.x] = left;
    tileB[fromB.y * PITCH + fromB.x] = right;
    workgroupBarrier();
    for (var q = 0u; q < SIDE; q++) {
      let x = tileA[q * PITCH + local / SIDE];
      let y = tileB[q * PITCH + local % SIDE];
      //#for I in 0..4: sum[${I}] = fma(vec4f(x[${I}]), y, sum[${I}]);
    }
    workgroupBarrier();
  }
  return sum;
}
//#end

@compute @workgroup_size(COLUMNS, ROWS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tile = tileOf(group.x + group.y * groups.x);
  let firstRow = tile.row + TM * (local / COLUMNS);
  //#if DIRECT
  let firstColumn = tile.column + local % COLUMNS;
  //#for I in 0..TM: let a${I} = placeA(tile.batch, min(firstRow + ${I}, sizes.m - 1));
  //#for J in 0..TN: let b${J} = placeB(tile.batch, min(firstColumn + ${J} * COLUMNS, sizes.n - 1));
  //#for I in 0..TM
  //#for J in 0..TN: var sum${I}_${J} = 0.0;
  //#end for I
  var term = termOf(tile.begin);
  for (var k = tile.begin; k < tile.end; k++) {
    //#for J in 0..TN: let y${J} = loadB(b${J}, term.b);
    //#for I in 0..TM
    let x${I} = loadA(a${I}, term.a);
    //#for J in 0..TN: sum${I}_${J} = fma(x${I}, y${J}, sum${I}_${J});
    //#end for I
    term = following(term, k + 1);
  }
  //#else
  let firstColumn = tile.column + TN * (local % COLUMNS);
  let sum = productOf(tile, local);
  //#for I in 0..TM
  //#for J in 0..TN: let sum${I}_${J} = sum[${I}][${J}];
  //#end for I
  //#end
  if (!tile.isInside) { return; }
  let base = tile.split * sizes.count;
  //#for J in 0..TN
  if (firstColumn + ${J} * APART < sizes.n) {
    let at = base + columnPlace(tile.batch, firstColumn + ${J} * APART);
    //#for I in 0..TM
    if (firstRow + ${I} < sizes.m) {
      keep(tile, firstRow + ${I}, firstColumn + ${J} * APART, at, sum${I}_${J});
    }
    //#end for I
  }
  //#end for J
}

//#kernel batchedMatmul
//#param KEPT: u32
//#param REDUCED: u32
struct Sizes {
  batches: u32, m: u32, n: u32, k: u32, kSplit: u32, splits: u32, count: u32,
  scale: f32,
  depth: u32,
  rowA: u32, columnA: u32, rowB: u32, columnB: u32,
  //#for K in 0..KEPT: kept${K}: u32, keptA${K}: u32, keptB${K}: u32,
  //#for K in 0..REDUCED: reduced${K}: u32, reducedA${K}: u32, reducedB${K}: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

/// Where a batch begins in A and in B.
fn batchPlace(batch: u32) -> vec2u {
  var rest = batch;
  var at = vec2u();
  //#for J in 0..KEPT
  at += rest % sizes.kept${KEPT - 1 - J} * vec2u(sizes.keptA${KEPT - 1 - J}, sizes.keptB${KEPT - 1 - J});
  rest /= sizes.kept${KEPT - 1 - J};
  //#end for J
  return at;
}

/// How far a term lies from the first in A and in B.
fn termPlace(term: u32) -> vec2u {
  //#if REDUCED > 0
  var rest = term / sizes.depth;
  var at = term % sizes.depth * vec2u(sizes.columnA, sizes.rowB);
  //#for J in 0..REDUCED
  at += rest % sizes.reduced${REDUCED - 1 - J} * vec2u(sizes.reducedA${REDUCED - 1 - J}, sizes.reducedB${REDUCED - 1 - J});
  rest /= sizes.reduced${REDUCED - 1 - J};
  //#end for J
  return at;
  //#else
  return term * vec2u(sizes.columnA, sizes.rowB);
  //#end
}

struct Term { a: u32, b: u32 }
fn termOf(term: u32) -> Term {
  let at = termPlace(term);
  return Term(at.x, at.y);
}
fn following(term: Term, next: u32) -> Term {
  //#if REDUCED > 0
  return termOf(next);
  //#else
  return Term(term.a + sizes.columnA, term.b + sizes.rowB);
  //#end
}
fn placeA(batch: u32, row: u32) -> u32 { return batchPlace(batch).x + row * sizes.rowA; }
fn termA(term: u32) -> u32 { return termPlace(term).x; }
fn loadA(place: u32, term: u32) -> f32 { return a[place + term]; }
fn runsA() -> bool { return sizes.columnA == 1; }
fn placeB(batch: u32, column: u32) -> u32 { return batchPlace(batch).y + column * sizes.columnB; }
fn termB(term: u32) -> u32 { return termPlace(term).y; }
fn loadB(place: u32, term: u32) -> f32 { return b[place + term]; }
fn runsB() -> bool { return sizes.columnB != 1; }
fn columnPlace(batch: u32, column: u32) -> u32 { return batch * sizes.m * sizes.n + column; }
fn keep(tile: Tile, row: u32, column: u32, at: u32, sum: f32) { put(at + row * sizes.n, sizes.scale * sum); }
