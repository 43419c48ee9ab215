// nonFinite: found[8·at] += how many elements of x are infinite or not a number. By bits, since a compiler may take for granted
// that there are none: all exponent bits are set.
//
// Shapes   x: `count` elements of f32, or (HALF) of f16, two to a word; found: eight words for each tensor
//          that is looked at.
// Mapping  one invocation a word of x. Whole numbers are added by atomics, whose sum does not depend on the order.

//#kernel nonFinite
//#param HALF: bool
struct Sizes {
  count: u32,
  at: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> found: array<atomic<u32>>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  var odd = 0u;
  //#if HALF
  if (2 * i < sizes.count && (x[i] & 0x7c00) == 0x7c00) { odd++; }
  if (2 * i + 1 < sizes.count && (x[i] & 0x7c000000) == 0x7c000000) { odd++; }
  //#else
  if (i < sizes.count && (x[i] & 0x7f800000) == 0x7f800000) { odd++; }
  //#end
  if (odd > 0) { atomicAdd(&found[8 * sizes.at], odd); }
}
