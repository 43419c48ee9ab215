// distillation: mean squared distance of a student's latents from a frozen teacher's, a branch.
//
//   forward     sums[branch, block] = Σ (z − target)² over the block's elements.  Σ of them: see reduce.wgsl.
//   gradient    dz (+)= scale · dLoss[branch] · (z − target)
//
// Shapes   z, target, dz: [S, width], width = elements of a branch;  sums: [S, blocks];  dLoss: [S].
// Mapping  forward: as rowSums of reduce.wgsl, and of the same bits with VEC as without. gradient: one invocation a cell: four
//          elements (VEC, where a branch is whole cells) or one.

//#use reduce

//#kernel latentMseSums
//#param VEC: bool
//#if VEC
alias Cell = vec4f;
//#else
alias Cell = f32;
//#end
@group(0) @binding(0) var<storage, read> z: array<Cell>;
@group(0) @binding(1) var<storage, read> teacher: array<Cell>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
struct Sizes { branches: u32, width: u32, blocks: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  //#if VEC
  let at = (group.x + group.y * groups.x) * 4u + local / 16u;
  //#else
  let at = group.x + group.y * groups.x;
  //#end
  let branch = at / sizes.blocks;
  let block = at % sizes.blocks;
  let inside = branch < sizes.branches;
  let end = select(0u, min(sizes.width, (block + 1u) * BLOCK), inside);
  //#if VEC
  let base = branch * (sizes.width / 4u);
  let lane = local % 16u;
  var squares = vec4f();
  var i = block * BLOCK / 4u + lane;
  // Four at once, so that memory is waited for once; the sums' order is that of the loop below.
  for (; 4u * i + 192u < end; i += 64u) {
    //#for U in 0..4: let difference${U} = z[base + i + ${16 * U}u] - teacher[base + i + ${16 * U}u];
    //#for U in 0..4: squares += difference${U} * difference${U};
  }
  for (; 4u * i < end; i += 16u) {
    let difference = z[base + i] - teacher[base + i];
    squares += difference * difference;
  }
  let total = cellSum(local, squares);
  //#else
  let lane = local;
  var sum = 0.0;
  for (var i = block * BLOCK + local; i < end; i += WORKGROUP) {
    let difference = z[branch * sizes.width + i] - teacher[branch * sizes.width + i];
    sum += difference * difference;
  }
  let total = laneSum(local, WORKGROUP, sum);
  //#end if VEC
  if (lane == 0u && inside) { sums[at] = total; }
}

//#kernel latentMseGradient
//#param ACCUMULATE: bool
//#param VEC: bool
//#if VEC
alias Cell = vec4f;
//#else
alias Cell = f32;
//#end
@group(0) @binding(0) var<storage, read> z: array<Cell>;
@group(0) @binding(1) var<storage, read> teacher: array<Cell>;
@group(0) @binding(2) var<storage, read> dLoss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dz: array<Cell>;
struct Sizes { cells: u32, width: u32, scale: f32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.cells) { return; }
  let value = sizes.scale * dLoss[i / sizes.width] * (z[i] - teacher[i]);
  //#if ACCUMULATE
  dz[i] += value;
  //#else
  dz[i] = value;
  //#end
}
