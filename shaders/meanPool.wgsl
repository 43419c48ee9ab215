// pool: the mean over some of each sample's tokens: the class token, or the mean of the patches.
//
//   forward    y[s, d] = 1/count · Σ_t x[s, t, d],   first ≤ t < first + count
//   backward   dx[s, t, d] (+)= dy[s, d] / count there, 0 elsewhere
//
// Shapes   x, dx: [S, T, D];  y, dy: [S, D].
// Mapping  forward: an invocation an element of y, which adds its tokens in order. backward: one an element of dx.

const WORKGROUP: u32 = 64u;

//#kernel meanPoolForward
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
struct Sizes { elements: u32, tokens: u32, width: u32, first: u32, count: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.elements) { return; }
  let base = (i / sizes.width * sizes.tokens + sizes.first) * sizes.width + i % sizes.width;
  var sum = 0.0;
  for (var t = 0u; t < sizes.count; t++) { sum += x[base + t * sizes.width]; }
  y[i] = sum / f32(sizes.count);
}

//#kernel meanPoolBackward
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
struct Sizes { elements: u32, tokens: u32, width: u32, first: u32, count: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.elements) { return; }
  let row = i / sizes.width;
  // A token before the first wraps round to a large number.
  let inside = row % sizes.tokens - sizes.first < sizes.count;
  let value = select(0.0, dy[row / sizes.tokens * sizes.width + i % sizes.width] / f32(sizes.count), inside);
  //#if ACCUMULATE
  dx[i] += value;
  //#else
  dx[i] = value;
  //#end
}
