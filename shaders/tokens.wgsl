// tokens: keeping patches, putting the class token in front, putting removed patches back.
//
//   keepTokens      y[s, k] = x[s, shuffle[k]]                                              k < keep
//   visibleTokens   y[s, 0] = classToken + positions[0]
//                   y[s, 1 + k] = patches[s, k] + positions[1 + shuffle[k]], or 1 + k where there is no shuffle
//   restoreTokens   y[s, t] = (slot(t) ≤ keep ? tokens[s, slot(t)] : maskToken) + positions[t]
//                   slot(0) = 0 (the class token), slot(1 + i) = 1 + restore[i]
//   backward        dx, dPatches and dTokens move dy the other way; a removed patch's is 0
//                   dClassToken = Σ_s dy[s, 0],   dMaskToken = Σ_s Σ_{restore[i] ≥ keep} dy[s, 1 + i]
//
// Shapes   x: [S, L, D];  patches: [S, keep, D];  tokens: [S, 1 + keep, D];  classToken, maskToken: [D];
//          positions: [1 + L, D];  shuffle, restore: [idRows, L], inverse permutations, row s mod idRows for sample s;
//          blockSums: [blocks, D]. With VEC rows are of vec4f and `width` is D / 4, else of f32 and it is D.
// Mapping  one invocation a cell of a row; workgroups in rows of x, then y. Gradients are scattered through the whole
//          permutation, so every cell is written exactly once.
//          sums: an invocation sums one column over a block of rows, then one sums the blocks in order (tokenReduce):
//          the order is fixed by the shape, no atomics.
// Source   He et al., Masked Autoencoders Are Scalable Vision Learners (2021).

const WORKGROUP: u32 = 256u;

//#if VEC
alias Cell = vec4f;
//#else
alias Cell = f32;
//#end

//#kernel keepTokens
//#param VEC: bool
@group(0) @binding(0) var<storage, read> x: array<Cell>;
@group(0) @binding(1) var<storage, read> shuffle: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<Cell>;
struct Sizes { count: u32, width: u32, keep: u32, length: u32, idRows: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let row = i / sizes.width;
  let s = row / sizes.keep;
  let k = row % sizes.keep;
  let patchId = shuffle[(s % sizes.idRows) * sizes.length + k];
  y[i] = x[(s * sizes.length + patchId) * sizes.width + i % sizes.width];
}

//#kernel keepTokensBackward
//#param VEC: bool
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> shuffle: array<u32>;
@group(0) @binding(1) var<storage, read> dy: array<Cell>;
@group(0) @binding(2) var<storage, read_write> dx: array<Cell>;
struct Sizes { count: u32, width: u32, keep: u32, length: u32, idRows: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let row = i / sizes.width;
  let column = i % sizes.width;
  let s = row / sizes.length;
  let k = row % sizes.length;
  let patchId = shuffle[(s % sizes.idRows) * sizes.length + k];
  let at = (s * sizes.length + patchId) * sizes.width + column;
  var value = Cell();
  if (k < sizes.keep) { value = dy[(s * sizes.keep + k) * sizes.width + column]; }
  //#if ACCUMULATE
  dx[at] += value;
  //#else
  dx[at] = value;
  //#end
}

//#kernel visibleTokens
//#param VEC: bool
//#param SHUFFLED: bool
@group(0) @binding(0) var<storage, read> patches: array<Cell>;
@group(0) @binding(1) var<storage, read> classToken: array<Cell>;
@group(0) @binding(2) var<storage, read> positions: array<Cell>;
@group(0) @binding(3) var<storage, read_write> y: array<Cell>;
struct Sizes { count: u32, width: u32, keep: u32, length: u32, idRows: u32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;
//#if SHUFFLED
@group(0) @binding(5) var<storage, read> shuffle: array<u32>;
//#end

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let row = i / sizes.width;
  let column = i % sizes.width;
  let s = row / (1u + sizes.keep);
  let t = row % (1u + sizes.keep);
  if (t == 0u) {
    y[i] = classToken[column] + positions[column];
    return;
  }
  let k = t - 1u;
  //#if SHUFFLED
  let patchId = shuffle[(s % sizes.idRows) * sizes.length + k];
  //#else
  let patchId = k;
  //#end
  y[i] = patches[(s * sizes.keep + k) * sizes.width + column] + positions[(1u + patchId) * sizes.width + column];
}

//#kernel visibleTokensBackward
//#param VEC: bool
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> dy: array<Cell>;
@group(0) @binding(1) var<storage, read_write> dPatches: array<Cell>;
struct Sizes { count: u32, width: u32, keep: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let s = i / (sizes.keep * sizes.width);
  let value = dy[i + (s + 1u) * sizes.width];
  //#if ACCUMULATE
  dPatches[i] += value;
  //#else
  dPatches[i] = value;
  //#end
}

//#kernel restoreTokens
//#param VEC: bool
@group(0) @binding(0) var<storage, read> tokens: array<Cell>;
@group(0) @binding(1) var<storage, read> maskToken: array<Cell>;
@group(0) @binding(2) var<storage, read> positions: array<Cell>;
@group(0) @binding(3) var<storage, read> restore: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<Cell>;
struct Sizes { count: u32, width: u32, keep: u32, length: u32, idRows: u32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let row = i / sizes.width;
  let column = i % sizes.width;
  let s = row / (1u + sizes.length);
  let t = row % (1u + sizes.length);
  var slot = 0u;
  if (t > 0u) { slot = 1u + restore[(s % sizes.idRows) * sizes.length + t - 1u]; }
  var value = maskToken[column];
  if (slot <= sizes.keep) { value = tokens[(s * (1u + sizes.keep) + slot) * sizes.width + column]; }
  y[i] = value + positions[t * sizes.width + column];
}

//#kernel restoreTokensBackward
//#param VEC: bool
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> restore: array<u32>;
@group(0) @binding(1) var<storage, read> dy: array<Cell>;
@group(0) @binding(2) var<storage, read_write> dTokens: array<Cell>;
struct Sizes { count: u32, width: u32, keep: u32, length: u32, idRows: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let row = i / sizes.width;
  let column = i % sizes.width;
  let s = row / (1u + sizes.length);
  let t = row % (1u + sizes.length);
  var slot = 0u;
  if (t > 0u) { slot = 1u + restore[(s % sizes.idRows) * sizes.length + t - 1u]; }
  if (slot > sizes.keep) { return; }
  let at = (s * (1u + sizes.keep) + slot) * sizes.width + column;
  //#if ACCUMULATE
  dTokens[at] += dy[i];
  //#else
  dTokens[at] = dy[i];
  //#end
}

//#kernel classTokenSums
//#param VEC: bool
@group(0) @binding(0) var<storage, read> dy: array<Cell>;
@group(0) @binding(1) var<storage, read_write> blockSums: array<Cell>;
struct Sizes { rows: u32, rowsPerBlock: u32, width: u32, tokens: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let block = id.y;
  if (column >= sizes.width) { return; }
  var sum = Cell();
  let end = min(sizes.rows, (block + 1u) * sizes.rowsPerBlock);
  for (var s = block * sizes.rowsPerBlock; s < end; s++) {
    sum += dy[s * sizes.tokens * sizes.width + column];
  }
  blockSums[block * sizes.width + column] = sum;
}

//#kernel maskTokenSums
//#param VEC: bool
@group(0) @binding(0) var<storage, read> restore: array<u32>;
@group(0) @binding(1) var<storage, read> dy: array<Cell>;
@group(0) @binding(2) var<storage, read_write> blockSums: array<Cell>;
struct Sizes { rows: u32, rowsPerBlock: u32, width: u32, keep: u32, length: u32, idRows: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let block = id.y;
  if (column >= sizes.width) { return; }
  var sum = Cell();
  let end = min(sizes.rows, (block + 1u) * sizes.rowsPerBlock);
  for (var row = block * sizes.rowsPerBlock; row < end; row++) {
    let s = row / sizes.length;
    if (restore[row % (sizes.idRows * sizes.length)] >= sizes.keep) {
      sum += dy[(row + s + 1u) * sizes.width + column];
    }
  }
  blockSums[block * sizes.width + column] = sum;
}

//#kernel tokenReduce
//#param VEC: bool
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> blockSums: array<Cell>;
@group(0) @binding(1) var<storage, read_write> dToken: array<Cell>;
struct Sizes { width: u32, blocks: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  if (column >= sizes.width) { return; }
  var sum = Cell();
  for (var block = 0u; block < sizes.blocks; block++) { sum += blockSums[block * sizes.width + column]; }
  //#if ACCUMULATE
  dToken[column] += sum;
  //#else
  dToken[column] = sum;
  //#end
}
