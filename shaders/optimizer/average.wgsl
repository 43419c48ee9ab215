// optimizer/average: an exponential moving average of the parameters.
//
//   a ← a + (1 − decay) · (p − a)
//
// Shapes   values, average: [count] f32, count a multiple of 64;  rest = 1 − decay.
// Mapping  one invocation four elements; workgroups in rows of x, then y.
// Source   Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging (1992).

//#kernel averageStep
@group(0) @binding(0) var<storage, read> values: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> average: array<vec4f>;
struct Sizes { count: u32, rest: f32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.count / 4u) { return; }
  average[i] += sizes.rest * (values[i] - average[i]);
}
