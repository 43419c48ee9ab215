// gradnorm: the Euclidean norm of all gradients together, and the factor that clips them to a largest norm.
//
//   norm = √ Σ g²,   clip = min(1, limit / (norm + 1e-6))   (1 where limit = 0)
//
// Shapes   grads: [count] f32 of one arena;  partials: [blocks of all arenas];  result: [2] = (norm, clip).
// Mapping  gradnormPartial: a workgroup takes 4096 elements; each of its 64 invocations every 64th, then invocation 0
//          adds the 64 sums in order. gradnormFinish: one workgroup does the same over the partials. The order of sums
//          is fixed by the sizes.
// Source   the clipping rule of PyTorch's clip_grad_norm_ (Pascanu et al. 2013).

var<workgroup> sums: array<f32, 64>;

fn groupSum(local: u32, value: f32) -> f32 {
  sums[local] = value;
  workgroupBarrier();
  var sum = 0.0;
  if (local == 0u) {
    for (var i = 0u; i < 64u; i++) { sum += sums[i]; }
  }
  return sum;
}

//#kernel gradnormPartial
@group(0) @binding(0) var<storage, read> grads: array<f32>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;
struct Sizes { count: u32, firstBlock: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let block = group.x + group.y * groups.x;
  let end = min(sizes.count, (block + 1u) * 4096u);
  var sum = 0.0;
  for (var i = block * 4096u + local; i < end; i += 64u) { sum += grads[i] * grads[i]; }
  let total = groupSum(local, sum);
  if (local == 0u && block * 4096u < sizes.count) { partials[sizes.firstBlock + block] = total; }
}

//#kernel gradnormFinish
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
struct Sizes { blocks: u32, limit: f32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  for (var i = local; i < sizes.blocks; i += 64u) { sum += partials[i]; }
  let total = groupSum(local, sum);
  if (local == 0u) {
    let norm = sqrt(total);
    result[0] = norm;
    result[1] = select(1.0, min(1.0, sizes.limit / (norm + 1e-6)), sizes.limit > 0.0);
  }
}
