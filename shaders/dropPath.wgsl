// dropPath: adds a branch to what goes past it, scaled sample by sample: stochastic depth.
//
//   forward    y[s, i] = x[s, i] + scales[first + s] · branch[s, i]
//   backward   dx = dy,   dBranch[s, i] (+)= scales[first + s] · dy[s, i]
//
//   A scale is 0 where the branch is left out, else 1 / (probability that it is kept): the host draws them.
//
// Shapes   x, branch, y, dy, dBranch: [S, span];  scales: [R · S], first a multiple of S.
// Mapping  one invocation an element.
// Source   Huang et al., Deep Networks with Stochastic Depth (2016).

const WORKGROUP: u32 = 64u;

//#kernel dropPathForward
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> branch: array<f32>;
@group(0) @binding(2) var<storage, read> scales: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
struct Sizes { count: u32, span: u32, first: u32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  y[i] = x[i] + scales[sizes.first + i / sizes.span] * branch[i];
}

//#kernel dropPathBackward
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> scales: array<f32>;
@group(0) @binding(2) var<storage, read_write> dBranch: array<f32>;
struct Sizes { count: u32, span: u32, first: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let value = scales[sizes.first + i / sizes.span] * dy[i];
  //#if ACCUMULATE
  dBranch[i] += value;
  //#else
  dBranch[i] = value;
  //#end
}
