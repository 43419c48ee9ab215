// add: out = a + b, and sum (+)= value, elementwise.
//
// Shapes   a, b, out, value, sum: [count] f32, row-major.
// Mapping  one invocation an element; workgroups in rows of x, then y.

//#kernel add
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
struct Sizes { count: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256u;
  if (i < sizes.count) { out[i] = a[i] + b[i]; }
}

//#kernel addInPlace
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> value: array<f32>;
@group(0) @binding(1) var<storage, read_write> sum: array<f32>;
struct Sizes { count: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256u;
  if (i < sizes.count) {
    //#if ACCUMULATE
    sum[i] += value[i];
    //#else
    sum[i] = value[i];
    //#end
  }
}
