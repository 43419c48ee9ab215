// Better than shuffle for a compiler that makes each load from storage some 70 instructions, a store to a variable 20,
// a broadcast 30, a multiplication with its sum 3, and that writes all it holds to the stack (SwiftShader's Subzero): a
// part of B lies in private memory and meets row after row of A. Within DEPTH terms the sums of a row are values and
// never variables, and the panel is read by indices that the compiler knows, which is free. It costs: a compilation ten
// times as long, so that small products take shuffle; and a panel must be loaded, for which there must be many rows.
// VEC is false.
//
// A workgroup, which is one subgroup of LANES, makes up to ROWS × LANES·COLUMNS outputs, DEPTH terms at a time; the
// rows of the matrix are shared evenly among the workgroups of a column. The panel is DEPTH × COLUMNS an invocation. Of
// a row of A, lane l loads what k = l, LANES + l, … need, and all lanes get it by broadcast. Where k is longer (DEEP),
// the sums wait in private memory for the next panel.
//#use matmul/common

//#kernel matmulPanel
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
  if (row >= sizes.m) {
    return;
  }
  let columns = column + vec4u(0, 1, 2, 3) * LANES;
  let inside = min(columns, vec4u(sizes.n - 1));
  let at = row * sizes.n + inside;
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
  if (columns[${J}] < sizes.n) {
    //#if GELU
    pre[at[${J}]] = CellPre(before[${J}]);
    //#end
    c[at[${J}]] = CellC(x[${J}]);
  }
  //#end for J
}

/// Brings DEPTH rows of op(B) from `k` on, of COLUMNS columns that lie LANES apart, to the panel.
fn loadPanel(firstColumn: u32, k: u32) {
  // Places outside are moved to the edge: what they give is never stored.
  //#for C in 0..COLUMNS: let column${C} = min(firstColumn + ${C} * LANES, sizes.n - 1);
  for (var q = 0u; q < DEPTH; q++) {
    let at = min(k + q, sizes.k - 1);
    //#for D in 0..COLUMNS/4
    panel[q * QUADS + ${D}] = vec4f(
      //#for J in 0..4
      //#if TRANS_B
      elementOfB(column${4 * D + J} * sizes.k + at),
      //#else
      elementOfB(at * sizes.n + column${4 * D + J}),
      //#end
      //#end for J
    );
    //#end for D
  }
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let lane = subgroupLane % LANES;
  let share = (sizes.m + groups.y - 1) / groups.y;
  let firstRow = min(group.y * share, sizes.m);
  let rows = min(share, sizes.m - firstRow);
  let firstColumn = group.x * LANES * COLUMNS + local;
  //#if SPLIT
  for (var begin = 0u; begin < sizes.k; begin += sizes.kSplit) {
  //#else
  let begin = 0u;
  //#end
  let end = min(begin + sizes.kSplit, sizes.k);
  //#if DEEP
  for (var k = begin; k < end; k += DEPTH) {
  //#else
  let k = begin;
  //#end
    loadPanel(firstColumn, k);
    // Terms beyond the end are zeros.
    //#for Q in 0..DEPTH/LANES
    let inside${Q} = f32(k + ${Q} * LANES + lane < end);
    //#if TRANS_A
    let at${Q} = min(k + ${Q} * LANES + lane, sizes.k - 1) * sizes.m + firstRow;
    //#else
    let at${Q} = min(k + ${Q} * LANES + lane, sizes.k - 1) + firstRow * sizes.k;
    //#end
    //#end for Q
    for (var i = 0u; i < rows; i++) {
      //#if TRANS_A
      let row = i;
      //#else
      let row = i * sizes.k;
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
      let sum${Q * LANES + L + 1}_${D} =
        fma(s${Q * LANES + L}, panel[${(Q * LANES + L) * COLUMNS / 4 + D}], sum${Q * LANES + L}_${D});
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
  if (group.x == 0) { writeRowSums(firstRow, rows, local, LANES); }
  //#end
}
