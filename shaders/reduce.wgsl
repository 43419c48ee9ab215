// reduce: sums in a fixed order, of rows of any length, in as many stages as it takes; and their adjoint.
//
//   rowSums     sums[row, block] = scale · Σ x[row, i] over the block's i. Then again over the sums, until one block is
//               left; only the last stage scales.
//   broadcast   dx[row, i] (+)= scale · dSums[row]
//
// Shapes   x, dx: [rows, width];  sums: [rows, blocks], blocks = ⌈width / 4096⌉;  dSums: [rows].
// Mapping  rowSums: a workgroup takes a block of 4096, a lane every 64th element of it; the lanes' sums meet in workgroup
//          memory as a tree. The order depends on the width alone: same bits every run, and an error that grows with the
//          number of stages, not of elements. A lane is an invocation; or, where rows are whole cells of four elements
//          (VEC), an invocation holds the sums of four lanes, and a workgroup takes four blocks: the same bits.
//          broadcast: one invocation a cell.

const WORKGROUP: u32 = 64u;
const BLOCK: u32 = 4096u;
const LOWEST: f32 = -3.4028234e38;
var<workgroup> laneSums: array<f32, 64>;
var<workgroup> cellSums: array<vec4f, 64>;
var<workgroup> laneMaxima: array<f32, 64>;

// Sum over the `lanes` invocations (a power of two) that share a row. Every invocation of the workgroup must call it.
fn laneSum(local: u32, lanes: u32, value: f32) -> f32 {
  if (lanes == 1u) { return value; }
  laneSums[local] = value;
  workgroupBarrier();
  for (var span = lanes / 2u; span > 0u; span /= 2u) {
    if (local % lanes < span) { laneSums[local] += laneSums[local + span]; }
    workgroupBarrier();
  }
  let sum = laneSums[local - local % lanes];
  workgroupBarrier();
  return sum;
}

// The sum of what 64 lanes hold, where 16 invocations hold four lanes each: by the tree of laneSum, so of the same bits. Four
// such sums a workgroup. Every invocation of the workgroup must call it.
fn cellSum(local: u32, value: vec4f) -> f32 {
  cellSums[local] = value;
  workgroupBarrier();
  for (var span = 8u; span > 0u; span /= 2u) {
    if (local % 16u < span) { cellSums[local] += cellSums[local + span]; }
    workgroupBarrier();
  }
  let sum = cellSums[local - local % 16u];
  workgroupBarrier();
  return (sum.x + sum.z) + (sum.y + sum.w);
}

// Maximum over the `lanes` invocations that share a row. Every invocation of the workgroup must call it.
fn laneMax(local: u32, lanes: u32, value: f32) -> f32 {
  laneMaxima[local] = value;
  workgroupBarrier();
  for (var span = lanes / 2u; span > 0u; span /= 2u) {
    if (local % lanes < span) { laneMaxima[local] = max(laneMaxima[local], laneMaxima[local + span]); }
    workgroupBarrier();
  }
  let largest = laneMaxima[local - local % lanes];
  workgroupBarrier();
  return largest;
}

//#kernel rowSums
//#param VEC: bool
//#if VEC
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
//#else
@group(0) @binding(0) var<storage, read> x: array<f32>;
//#end
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
struct Sizes { rows: u32, width: u32, blocks: u32, scale: f32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  //#if VEC
  let at = (group.x + group.y * groups.x) * 4u + local / 16u;
  let row = at / sizes.blocks;
  let block = at % sizes.blocks;
  let inside = row < sizes.rows;
  let end = select(0u, min(sizes.width, (block + 1u) * BLOCK), inside) / 4u;
  let base = row * (sizes.width / 4u);
  var lanes = vec4f();
  var i = block * BLOCK / 4u + local % 16u;
  // Eight loads at once, so that memory is waited for once; the sums' order is that of the loop below.
  for (; i + 112u < end; i += 128u) {
    //#for U in 0..8: let x${U} = x[base + i + ${16 * U}u];
    //#for U in 0..8: lanes += x${U};
  }
  for (; i < end; i += 16u) { lanes += x[base + i]; }
  let total = cellSum(local, lanes);
  if (local % 16u == 0u && inside) { sums[at] = sizes.scale * total; }
  //#else
  let at = group.x + group.y * groups.x;
  let row = at / sizes.blocks;
  let block = at % sizes.blocks;
  let inside = row < sizes.rows;
  let end = select(0u, min(sizes.width, (block + 1u) * BLOCK), inside);
  var sum = 0.0;
  for (var i = block * BLOCK + local; i < end; i += WORKGROUP) { sum += x[row * sizes.width + i]; }
  let total = laneSum(local, WORKGROUP, sum);
  if (local == 0u && inside) { sums[at] = sizes.scale * total; }
  //#end
}

//#kernel broadcast
//#param ACCUMULATE: bool
//#param VEC: bool
//#if VEC
alias Cell = vec4f;
//#else
alias Cell = f32;
//#end
@group(0) @binding(0) var<storage, read> dSums: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<Cell>;
struct Sizes { cells: u32, width: u32, scale: f32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.cells) { return; }
  let value = Cell(sizes.scale * dSums[i / sizes.width]);
  //#if ACCUMULATE
  dx[i] += value;
  //#else
  dx[i] = value;
  //#end
}
