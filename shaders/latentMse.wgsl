// distillation: mean squared distance of a student's latents from a frozen teacher's, a branch.
//
//   forward     sums[branch, block] = Σ (z − target)² over the block's elements.  Σ of them: see reduce.wgsl.
//   gradient    dz (+)= scale · dLoss[branch] · (z − target)
//
// Shapes   z, target, dz: [S, width], width = elements of a branch;  sums: [S, blocks];  dLoss: [S].
// Mapping  forward: as rowSums of reduce.wgsl, a workgroup a block of 4096. gradient: one invocation an element.

//#use reduce

//#kernel latentMseSums
@group(0) @binding(0) var<storage, read> z: array<f32>;
@group(0) @binding(1) var<storage, read> teacher: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
struct Sizes { branches: u32, width: u32, blocks: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = group.x + group.y * groups.x;
  let branch = at / sizes.blocks;
  let block = at % sizes.blocks;
  let inside = branch < sizes.branches;
  let end = select(0u, min(sizes.width, (block + 1u) * BLOCK), inside);
  var sum = 0.0;
  for (var i = block * BLOCK + local; i < end; i += WORKGROUP) {
    let difference = z[branch * sizes.width + i] - teacher[branch * sizes.width + i];
    sum += difference * difference;
  }
  let total = laneSum(local, WORKGROUP, sum);
  if (local == 0u && inside) { sums[at] = total; }
}

//#kernel latentMseGradient
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> z: array<f32>;
@group(0) @binding(1) var<storage, read> teacher: array<f32>;
@group(0) @binding(2) var<storage, read> dLoss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dz: array<f32>;
struct Sizes { count: u32, width: u32, scale: f32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let value = sizes.scale * dLoss[i / sizes.width] * (z[i] - teacher[i]);
  //#if ACCUMULATE
  dz[i] += value;
  //#else
  dz[i] = value;
  //#end
}
