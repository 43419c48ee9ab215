// gradientNorm: the Euclidean norm of all gradients together, and the factor that clips them to a largest norm.
//
//   norm = √ Σ g²,   clip = min(1, limit / (norm + 1e-6))   (1 where limit = 0)
//
// SCALED: the gradients are `scale` times what they should be, so that in f16 small ones are not lost. norm and clip are made
// of what they should be, and the factor takes the scale off. Where the norm is not finite (an f16 overflowed on the way),
// the step counts as skipped and the scale is halved; after `growth` good steps in a row it is doubled, up to 2²⁴.
//
//   result = (norm / scale, clip / scale, 1 or 0 where the step is skipped, the step's scale, steps skipped so far)
//
// Shapes   grads: [count] f32 of one arena;  partials: [blocks of all arenas];  result: [2] = (norm, clip);
//          state: [3] = (scale, good steps since it changed, steps skipped so far).
// Mapping  gradientNormPartial: a workgroup takes 4096 elements; each of its 64 invocations every 64th, then invocation 0
//          adds the 64 sums in order. gradientNormFinish: one workgroup does the same over the partials. The order of sums
//          is fixed by the sizes.
// Source   the clipping rule of PyTorch's clip_grad_norm_ (Pascanu et al. 2013); Micikevicius et al., Mixed Precision
//          Training (2018).

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

//#kernel gradientNormPartial
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

//#kernel gradientNormFinish
//#param SCALED: bool
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
//#if SCALED
struct Sizes { blocks: u32, limit: f32, growth: f32 }
@group(0) @binding(3) var<storage, read_write> state: array<f32, 3>;
const LARGEST_SCALE = 16777216.0;
//#else
struct Sizes { blocks: u32, limit: f32 }
//#end
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  for (var i = local; i < sizes.blocks; i += 64u) { sum += partials[i]; }
  let total = groupSum(local, sum);
  if (local == 0u) {
    //#if SCALED
    let scale = state[0];
    let norm = sqrt(total) / scale;
    // By its bits: a compiler may take it for granted that numbers are finite.
    let isFinite = (bitcast<u32>(total) & 0x7f800000u) != 0x7f800000u;
    let good = select(0.0, state[1] + 1.0, isFinite);
    let grows = good >= sizes.growth;
    state[0] = select(scale * 0.5, select(scale, min(scale * 2.0, LARGEST_SCALE), grows), isFinite);
    state[1] = select(good, 0.0, grows);
    state[2] += select(1.0, 0.0, isFinite);
    result[2] = select(0.0, 1.0, isFinite);
    result[3] = scale;
    result[4] = state[2];
    //#else
    let norm = sqrt(total);
    //#end if SCALED
    result[0] = norm;
    result[1] = select(1.0, min(1.0, sizes.limit / (norm + 1e-6)), sizes.limit > 0.0);
    //#if SCALED
    result[1] /= scale;
    //#end
  }
}
