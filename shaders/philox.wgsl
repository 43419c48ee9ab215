// Philox4x32-10: random words from a counter and a key, without state.
//
// Ten rounds of (c0, c1, c2, c3) -> (hi(M1·c2) ^ c1 ^ k0, lo(M1·c2), hi(M0·c0) ^ c3 ^ k1, lo(M0·c0)), the key growing
// by the Weyl constants after each. hi is the upper half of a 32×32 → 64 bit product, here by 16-bit halves, as WGSL
// has no 64-bit integers. Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
//
// The same words as `philox4x32` in src/data/philox.ts. Addresses used there: counter = (block, step, purpose, 0),
// key = (low, high) half of the seed.

fn philoxMultiplyHigh(a: u32, b: u32) -> u32 {
  let aLow = a & 0xffffu;
  let aHigh = a >> 16u;
  let bLow = b & 0xffffu;
  let bHigh = b >> 16u;
  // Neither sum passes 32 bits: (2^16 - 1)^2 + 2^16 - 1 < 2^32.
  let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
  let carry = (aLow * bHigh + (middle & 0xffffu)) >> 16u;
  return aHigh * bHigh + (middle >> 16u) + carry;
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0u; round < 10u; round++) {
    c = vec4u(
      philoxMultiplyHigh(0xcd9e8d57u, c.z) ^ c.y ^ k.x,
      0xcd9e8d57u * c.z,
      philoxMultiplyHigh(0xd2511f53u, c.x) ^ c.w ^ k.y,
      0xd2511f53u * c.x,
    );
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

// Element 4i + j of `out` (count words, any count) is word j of philox((i, c1, c2, c3), (k0, k1)).
// One invocation a block of four words; the grid may be two-dimensional.
//#kernel philoxFill
struct Sizes {
  count: u32,
  k0: u32,
  k1: u32,
  c1: u32,
  c2: u32,
  c3: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let block = gid.x + gid.y * groups.x * 64u;
  let words = philox(vec4u(block, sizes.c1, sizes.c2, sizes.c3), vec2u(sizes.k0, sizes.k1));
  for (var j = 0u; j < 4u; j++) {
    let at = block * 4u + j;
    if (at < sizes.count) {
      out[at] = words[j];
    }
  }
}
