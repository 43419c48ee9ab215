// dropout: each element is 0 with probability p, else divided by 1 − p.
//
//   y = x · kept / (1 − p);   backward: dx = dy · kept / (1 − p), by the same kernel, which draws the same numbers again
//
// Element i is kept where the upper 24 bits of word i mod 4 of philox((i div 4, step, DROPOUT, index), key) are at least
// `threshold` = p · 2²⁴: nothing is stored but the step.
//
// Shapes   x, y: [count] f32;  step: [1], which run it is, from philoxStep;  index: which draw of the program it is.
// Mapping  one invocation four elements; workgroups in rows of x, then y.
// Source   Srivastava et al., Dropout (2014).

//#use philox

/// The purpose `dropout` of src/data/philox.ts.
const DROPOUT: u32 = 19u;

//#kernel dropout
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
struct Sizes { count: u32, threshold: u32, scale: f32, k0: u32, k1: u32, index: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let block = id.x + id.y * groups.x * 64u;
  if (4u * block >= sizes.count) { return; }
  let words = philox(vec4u(block, step[0], DROPOUT, sizes.index), vec2u(sizes.k0, sizes.k1));
  for (var j = 0u; j < min(4u, sizes.count - 4u * block); j++) {
    let i = 4u * block + j;
    let value = select(0.0, sizes.scale * x[i], (words[j] >> 8u) >= sizes.threshold);
    //#if ACCUMULATE
    y[i] += value;
    //#else
    y[i] = value;
    //#end
  }
}
