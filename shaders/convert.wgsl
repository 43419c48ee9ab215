// convert: elements of one type as another; what a number is; and arrays of one number.
//
//   convert  y = x as a number of the other type: f32 to whole numbers is cut off towards 0, and kept to their range; i32 and
//            u32 to each other keep their bits
//   tell     y = 1 where x is NaN (FINITE: where it is neither NaN nor infinite), else 0, by its bits, since a compiler may take
//            for granted that there are none
//   fill     y = bits
//
// Types    FROM, TO: 0 f32, 1 i32, 2 u32.
// Mapping  arrays of any shape. One invocation an element; workgroups in rows of x, then y.

struct Sizes {
  count: u32,
  bits: u32,
}

//#kernel convert
//#param FROM: u32
//#param TO: u32
//#if FROM == 0
alias From = f32;
//#end
//#if FROM == 1
alias From = i32;
//#end
//#if FROM == 2
alias From = u32;
//#end
//#if TO == 0
alias To = f32;
//#end
//#if TO == 1
alias To = i32;
//#end
//#if TO == 2
alias To = u32;
//#end
@group(0) @binding(0) var<storage, read> x: array<From>;
@group(0) @binding(1) var<storage, read_write> y: array<To>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256;
  if (i >= sizes.count) { return; }
  //#if FROM == 0 && TO == 1
  y[i] = select(select(i32(x[i]), 0x7fffffff, x[i] >= 2147483648.0), -0x7fffffff - 1, x[i] < -2147483648.0);
  //#else
  //#if FROM == 0 && TO == 2
  y[i] = select(select(u32(x[i]), 0xffffffffu, x[i] >= 4294967296.0), 0u, x[i] < 0);
  //#else
  y[i] = To(x[i]);
  //#end
  //#end
}

//#kernel tell
//#param FINITE: bool
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256;
  if (i >= sizes.count) { return; }
  let size = x[i] & 0x7fffffffu;
  y[i] = select(u32(size > 0x7f800000u), u32(size < 0x7f800000u), FINITE);
}

//#kernel fill
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
@group(0) @binding(1) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256;
  if (i < sizes.count) { y[i] = sizes.bits; }
}
