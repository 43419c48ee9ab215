// lars: one step of LARS over a flat arena of parameters.
//
//   g ← grad + decay · p,   ratio = trust · ‖p‖ / ‖g‖ of each tensor (1 where either norm is 0)
//   a tensor of one dimension (bias) takes neither decay nor ratio: g ← grad
//   mu ← momentum · mu + ratio · g,   p ← p − lr · mu        the learning rate stays outside the momentum
//
// CLIPPED: grad is first multiplied by the factor of norm, as gradientNorm gives it. HALF: halves ← p, rounded to f16. SCALED:
// where norm says so, nothing is changed at all.
//
// Shapes   values, grads, mu: [count] f32, tensors at multiples of 64 elements, zeros between them.
//          blocks: [n] (first element, end): a tensor's elements in blocks of up to 4096;  partials: [n] (‖p‖², ‖g‖²);
//          tensors: [T] (first block, end, 1 where it is decayed and scaled);  ratios: [T];
//          segments: [count / 64]: which tensor each run of 64 elements belongs to.
// Mapping  norms: 16 invocations a block, each every 16th four elements; then (ratios) an invocation a tensor, which adds its
//          blocks in order. update: one invocation four elements, which are of one tensor.
// Source   You, Gitman, Ginsburg, Large Batch Training of Convolutional Networks (2017), in MAE's form: the learning
//          rate applied outside the momentum.

//#use reduce

//#kernel larsNorms
//#param CLIPPED: bool
//#if CLIPPED
@group(0) @binding(5) var<storage, read> norm: array<f32>;
//#end
@group(0) @binding(0) var<storage, read> values: array<vec4f>;
@group(0) @binding(1) var<storage, read> grads: array<vec4f>;
@group(0) @binding(2) var<storage, read> blocks: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec2f>;
struct Sizes { blocks: u32, decay: f32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (group.x + group.y * groups.x) * 4u + local / 16u;
  let inside = at < sizes.blocks;
  let block = select(vec2u(), blocks[min(at, sizes.blocks - 1u)], inside);
  var value = vec4f();
  var update = vec4f();
  // A tensor's last four may reach beyond its end, where there are zeros.
  for (var i = block.x / 4u + local % 16u; 4u * i < block.y; i += 16u) {
    //#if CLIPPED
    let g = norm[1] * grads[i] + sizes.decay * values[i];
    //#else
    let g = grads[i] + sizes.decay * values[i];
    //#end
    value += values[i] * values[i];
    update += g * g;
  }
  let valueSum = cellSum(local, value);
  let updateSum = cellSum(local, update);
  if (local % 16u == 0u && inside) { partials[at] = vec2f(valueSum, updateSum); }
}

//#kernel larsRatios
@group(0) @binding(0) var<storage, read> partials: array<vec2f>;
@group(0) @binding(1) var<storage, read> tensors: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> ratios: array<f32>;
struct Sizes { tensors: u32, trust: f32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.tensors) { return; }
  let tensor = tensors[id.x];
  var sum = vec2f();
  for (var block = tensor.x; block < tensor.y; block++) { sum += partials[block]; }
  let scaled = tensor.z != 0u && sum.x > 0.0 && sum.y > 0.0;
  ratios[id.x] = select(1.0, sizes.trust * sqrt(sum.x) / sqrt(sum.y), scaled);
}

//#kernel larsUpdate
//#param CLIPPED: bool
//#param SCALED: bool
//#param HALF: bool
//#if CLIPPED
@group(0) @binding(8) var<storage, read> norm: array<f32>;
//#end
//#if HALF
//#enable f16
@group(0) @binding(9) var<storage, read_write> halves: array<vec4<f16>>;
//#end
@group(0) @binding(0) var<storage, read> grads: array<vec4f>;
@group(0) @binding(1) var<storage, read> segments: array<u32>;
@group(0) @binding(2) var<storage, read> tensors: array<vec4u>;
@group(0) @binding(3) var<storage, read> ratios: array<f32>;
@group(0) @binding(4) var<storage, read> rate: array<f32>;
@group(0) @binding(5) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> mu: array<vec4f>;
struct Sizes { count: u32, decay: f32, momentum: f32 }
@group(0) @binding(7) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count / 4u) { return; }
  //#if SCALED
  if (norm[2] == 0.0) { return; }
  //#end
  let which = segments[i / 16u];
  let decay = select(0.0, sizes.decay, tensors[which].z != 0u);
  //#if CLIPPED
  let moved = sizes.momentum * mu[i] + ratios[which] * (norm[1] * grads[i] + decay * values[i]);
  //#else
  let moved = sizes.momentum * mu[i] + ratios[which] * (grads[i] + decay * values[i]);
  //#end
  mu[i] = moved;
  values[i] -= rate[0] * moved;
  //#if HALF
  halves[i] = vec4<f16>(values[i]);
  //#end
}
