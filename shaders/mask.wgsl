// mask: which patches of each sample are visible: a random order of its L patches, and the inverse of an order.
//
//   drawMasks           noise[b, i] = word i mod 4 of philox((⌊i/4⌋, first sample + b, purpose, step), seed)
//                       idsRestore[b, i] = rank of i: how many j have noise below i's, or the same and j < i
//                       idsShuffle[b, rank of i] = i
//   invertPermutation   idsRestore[b, idsShuffle[b, k]] = k
//
// Shapes   counter: [5] = (seed low, seed high, purpose, step, first sample);  idsShuffle, idsRestore: [B, L] u32,
//          L ≤ 4096.
// Mapping  drawMasks: one workgroup a sample, its noise in workgroup memory (16 KiB at L = 4096); an invocation counts
//          the rank of every 256th patch, four comparisons at a time. L² comparisons beat a sort at the L of images.
//          invertPermutation: one invocation an element.
// Source   random masking by argsort of noise: He et al., Masked Autoencoders Are Scalable Vision Learners (2021).

const WORKGROUP: u32 = 256u;

//#kernel drawMasks
//#use philox
//#param LENGTH: u32
@group(0) @binding(0) var<storage, read> counter: array<u32>;
@group(0) @binding(1) var<storage, read_write> idsShuffle: array<u32>;
@group(0) @binding(2) var<storage, read_write> idsRestore: array<u32>;

const BLOCKS: u32 = (LENGTH + 3u) / 4u;
const WORDS = vec4u(0u, 1u, 2u, 3u);
var<workgroup> noise: array<vec4u, BLOCKS>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let sample = group.x;
  let seed = vec2u(counter[0], counter[1]);
  for (var block = local; block < BLOCKS; block += WORKGROUP) {
    noise[block] = philox(vec4u(block, counter[4] + sample, counter[2], counter[3]), seed);
  }
  workgroupBarrier();

  for (var i = local; i < LENGTH; i += WORKGROUP) {
    let own = vec4u(noise[i / 4u][i % 4u]);
    var below = vec4u();
    for (var block = 0u; block < BLOCKS; block++) {
      let index = block * 4u + WORDS;
      let before = (noise[block] < own) | ((noise[block] == own) & (index < vec4u(i)));
      below += select(vec4u(), vec4u(1u), before & (index < vec4u(LENGTH)));
    }
    let rank = below.x + below.y + below.z + below.w;
    idsRestore[sample * LENGTH + i] = rank;
    idsShuffle[sample * LENGTH + rank] = i;
  }
}

//#kernel invertPermutation
@group(0) @binding(0) var<storage, read> idsShuffle: array<u32>;
@group(0) @binding(1) var<storage, read_write> idsRestore: array<u32>;
struct Sizes { count: u32, length: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let k = i % sizes.length;
  let patchId = idsShuffle[i];
  if (patchId < sizes.length) { idsRestore[i - k + patchId] = k; }
}
