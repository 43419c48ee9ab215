// add: out = a + b, and sum (+)= value, elementwise. VALUE16, SUM16: that one is f16; the sum itself is made in f32.
//
// Shapes   a, b, out: [count] f32; value, sum: [count], each f32 or f16; row-major.
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
//#param VALUE16: bool
//#param SUM16: bool
//#if VALUE16 || SUM16
//#enable f16
//#end
//#if VALUE16
alias ValueElement = f16;
//#else
alias ValueElement = f32;
//#end
//#if SUM16
alias SumElement = f16;
//#else
alias SumElement = f32;
//#end
@group(0) @binding(0) var<storage, read> value: array<ValueElement>;
@group(0) @binding(1) var<storage, read_write> sum: array<SumElement>;
struct Sizes { count: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256u;
  if (i < sizes.count) {
    //#if ACCUMULATE
    sum[i] = SumElement(f32(sum[i]) + f32(value[i]));
    //#else
    sum[i] = SumElement(value[i]);
    //#end
  }
}
