// sameBits: differences[i] = how many of the words i, i + I, i + 2·I, … differ between a and b, for I invocations.
//
// Shapes   a, b: [count] of any four-byte type, taken as u32, so that NaNs and signed zeros are compared as they are;
//          differences: [I] u32, one an invocation, for the host to add.
// Mapping  invocation i reads every I-th word, so neighbours read neighbours.

struct Sizes { count: u32, invocations: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

//#kernel sameBits
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read_write> differences: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.invocations) { return; }
  var found = 0u;
  for (var i = id.x; i < sizes.count; i += sizes.invocations) { found += u32(a[i] != b[i]); }
  differences[id.x] = found;
}
