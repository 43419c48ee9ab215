// mask: which patches of each sample are visible: an order of its L patches, and the inverse of an order. Whatever the kind
// of mask, exactly the first `keep` of the order are visible.
//
//   drawMasks           idsRestore[b, i] = rank of i: how many j have a key below i's, or the same and j < i
//                       idsShuffle[b, rank of i] = i
//     noise[b, i]       = word i mod 4 of philox((⌊i/4⌋, first sample + b, purpose, step), seed)
//     KIND 0, random    key = noise
//     KIND 1, block     rectangles are hidden until there are HIDDEN hidden patches. The j-th has an area from L/12 (or what is
//                       still missing) to what is still missing, a side ratio from 3/10 to 10/3 and its place, each drawn
//                       from philox((⌈L/4⌉ + j, …)), all in whole numbers. key = noise/2 outside; inside, above all of
//                       those, the higher the earlier its rectangle was drawn. So only the last rectangle is cut, and within
//                       one the key counts its patches line by line from one of its corners: it is cut to lines. What 64
//                       rectangles leave missing is hidden at random.
//     KIND 2, grid      key = place in the order of ordered dithering (Bayer 1973) on the grid, moved by a random shift
//                       that wraps around: with ¼ visible one of every 2×2, with ½ a checkerboard, with 1/16 one of every
//                       4×4, and in between the next of them in part. (Where the side is odd, there is a seam.)
//     KIND 3, weighted  score = logWeights[b, i] − log(−log u), u = (⌊noise/2⁹⌋ + ½)/2²³; key = the score as a number that
//                       sorts as it does. The hidden ones, of highest scores, are then a draw without replacement in
//                       proportion to the weights (Gumbel-top-k).
//   patchVariance       logWeights[b, i] = log(mean over channels of the variance of patch i's pixels + 0.01)
//   classScores         scores[b, h, n] = q(b, h, class token) · k(b, h, n) / √d
//   headMean            logWeights[b, i] = 2 · log(mean_h p[b, h, 1 + i] + 1e-9)
//   invertPermutation   idsRestore[b, idsShuffle[b, k]] = k
//
// Shapes   counter: [5] = (seed low, seed high, purpose, step, first sample);  idsShuffle, idsRestore: [B, L] u32,
//          L ≤ 4096 (block: 63²), of a square grid for block and grid;  logWeights: [B, L];  images: [B, C, H, W];
//          qkv: [B, N, 3·heads·d], scores, p: [B, heads, N], N = 1 + L.
// Mapping  drawMasks: one workgroup a sample, its keys in workgroup memory (16 KiB at L = 4096); an invocation makes the keys
//          of every 256th four, and counts the rank of every 256th patch, four comparisons at a time. L² comparisons beat a
//          sort at the L of images. patchVariance, headMean: one invocation a patch. classScores: one a score.
//          invertPermutation: one invocation an element.
// Source   random masking by argsort of noise, and block and grid beside it: He et al., Masked Autoencoders Are Scalable Vision
//          Learners (2021); blocks: Bao et al., BEiT (2021); the teacher's attention: Kakogeorgiou et al., What to Hide from
//          Your Students: Attention-Guided Masked Image Modeling (2022).

const WORKGROUP: u32 = 256u;

//#kernel drawMasks
//#use philox
//#param KIND: u32
//#param LENGTH: u32
//#param SIDE: u32
//#param HIDDEN: u32
@group(0) @binding(0) var<storage, read> counter: array<u32>;
@group(0) @binding(1) var<storage, read_write> idsShuffle: array<u32>;
@group(0) @binding(2) var<storage, read_write> idsRestore: array<u32>;
//#if KIND == 3
@group(0) @binding(3) var<storage, read> logWeights: array<f32>;
//#end

const BLOCKS: u32 = (LENGTH + 3u) / 4u;
const WORDS = vec4u(0u, 1u, 2u, 3u);
var<workgroup> keys: array<vec4u, BLOCKS>;

fn draw(block: u32, sample: u32) -> vec4u {
  return philox(vec4u(block, counter[4] + sample, counter[2], counter[3]), vec2u(counter[0], counter[1]));
}

//#if KIND == 1
const RECTANGLES: u32 = 64u;
const COVERED: u32 = 0x80000000u;
var<workgroup> covered: atomic<u32>;
var<workgroup> hidden: u32;

struct Rectangle { top: u32, left: u32, height: u32, width: u32 }

// A rectangle of about as many patches as the words choose, at most `missing`.
fn rectangle(words: vec4u, missing: u32) -> Rectangle {
  let least = min(missing, max(1u, LENGTH / 12u));
  let area = least + words.x % (missing - least + 1u);
  var low = (area + SIDE - 1u) / SIDE;
  while (10u * low * low < 3u * area) { low++; }
  var high = SIDE;
  while (3u * high * high > 10u * area) { high--; }
  let height = low + words.y % (max(low, high) - low + 1u);
  let width = clamp((area + height / 2u) / height, 1u, SIDE);
  return Rectangle(words.z % (SIDE - height + 1u), words.w % (SIDE - width + 1u), height, width);
}

// The place of (x, y) counted line by line, rows or columns, from the corner that the bits name.
fn fromCorner(x: u32, y: u32, bits: u32) -> u32 {
  let across = select(x, SIDE - 1u - x, (bits & 1u) != 0u);
  let down = select(y, SIDE - 1u - y, (bits & 2u) != 0u);
  return select(down * SIDE + across, across * SIDE + down, (bits & 4u) != 0u);
}

fn cover(local: u32, sample: u32) {
  let corner = draw(BLOCKS + RECTANGLES, sample).x;
  for (var j = 0u; j < RECTANGLES; j++) {
    let before = workgroupUniformLoad(&hidden);
    if (before >= HIDDEN) { break; }
    let area = rectangle(draw(BLOCKS + j, sample), HIDDEN - before);
    var added = 0u;
    for (var block = local; block < BLOCKS; block += WORKGROUP) {
      var own = keys[block];
      for (var word = 0u; word < 4u; word++) {
        let i = block * 4u + word;
        let x = i % SIDE;
        let y = i / SIDE;
        // Below the edge, a difference wraps around to a large number.
        let inside = x - area.left < area.width && y - area.top < area.height;
        if (i < LENGTH && inside && own[word] < COVERED) {
          own[word] = COVERED + (RECTANGLES - 1u - j) * 4096u + fromCorner(x, y, corner);
          added++;
        }
      }
      keys[block] = own;
    }
    atomicAdd(&covered, added);
    workgroupBarrier();
    if (local == 0u) { hidden = atomicLoad(&covered); }
  }
}
//#end if KIND == 1

//#if KIND == 2
// The place of (x, y) in ordered dithering by a 64 × 64 matrix: the lowest bits decide first.
fn dithered(x: u32, y: u32) -> u32 {
  var place = 0u;
  for (var bit = 0u; bit < 6u; bit++) {
    place = place * 4u + (((x ^ y) >> bit) & 1u) * 2u + ((y >> bit) & 1u);
  }
  return place;
}
//#end

//#if KIND == 3
fn sortable(score: vec4f) -> vec4u {
  let bits = bitcast<vec4u>(score);
  return select(bits | vec4u(0x80000000u), ~bits, bits >= vec4u(0x80000000u));
}
//#end

fn keysOf(block: u32, sample: u32) -> vec4u {
  //#if KIND == 0
  return draw(block, sample);
  //#end
  //#if KIND == 1
  return draw(block, sample) >> vec4u(1u);
  //#end
  //#if KIND == 2
  let shift = draw(BLOCKS, sample).xy % vec2u(SIDE);
  let i = block * 4u + WORDS;
  let x = (i + shift.x) % SIDE; // a row is SIDE long: i mod SIDE and i alike
  let y = (i / SIDE + shift.y) % SIDE;
  return vec4u(dithered(x.x, y.x), dithered(x.y, y.y), dithered(x.z, y.z), dithered(x.w, y.w));
  //#end
  //#if KIND == 3
  let i = sample * LENGTH + min(block * 4u + WORDS, vec4u(LENGTH - 1u));
  let u = (vec4f(draw(block, sample) >> vec4u(9u)) + 0.5) * 0x1p-23f;
  // Near u = 1 a logarithm may be 0 or on the wrong side of it.
  let gumbel = -log(max(-log(u), vec4f(1e-7)));
  return sortable(vec4f(logWeights[i.x], logWeights[i.y], logWeights[i.z], logWeights[i.w]) + gumbel);
  //#end
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let sample = group.x;
  for (var block = local; block < BLOCKS; block += WORKGROUP) { keys[block] = keysOf(block, sample); }
  //#if KIND == 1
  cover(local, sample);
  //#end
  workgroupBarrier();

  for (var i = local; i < LENGTH; i += WORKGROUP) {
    let own = vec4u(keys[i / 4u][i % 4u]);
    var below = vec4u();
    for (var block = 0u; block < BLOCKS; block++) {
      let index = block * 4u + WORDS;
      let before = (keys[block] < own) | ((keys[block] == own) & (index < vec4u(i)));
      below += select(vec4u(), vec4u(1u), before & (index < vec4u(LENGTH)));
    }
    let rank = below.x + below.y + below.z + below.w;
    idsRestore[sample * LENGTH + i] = rank;
    idsShuffle[sample * LENGTH + rank] = i;
  }
}

//#kernel patchVariance
//#param PATCH: u32
//#param CHANNELS: u32
@group(0) @binding(0) var<storage, read> images: array<f32>;
@group(0) @binding(1) var<storage, read_write> logWeights: array<f32>;
struct Sizes { count: u32, height: u32, width: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

const PIXELS = PATCH * PATCH;
const FLOOR = 0.01;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= sizes.count) { return; }
  let across = sizes.width / PATCH;
  let length = across * (sizes.height / PATCH);
  let patchId = at % length;
  var squares = 0.0;
  for (var channel = 0u; channel < CHANNELS; channel++) {
    let plane = (at / length * CHANNELS + channel) * sizes.height;
    let corner = (plane + patchId / across * PATCH) * sizes.width + patchId % across * PATCH;
    var sum = 0.0;
    for (var e = 0u; e < PIXELS; e++) { sum += images[corner + e / PATCH * sizes.width + e % PATCH]; }
    let mean = sum / f32(PIXELS);
    for (var e = 0u; e < PIXELS; e++) {
      let centred = images[corner + e / PATCH * sizes.width + e % PATCH] - mean;
      squares += centred * centred;
    }
  }
  logWeights[at] = log(squares / f32(PIXELS * CHANNELS) + FLOOR);
}

//#kernel classScores
@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read_write> scores: array<f32>;
struct Sizes { count: u32, tokens: u32, heads: u32, channels: u32, scale: f32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let token = i % sizes.tokens;
  let head = i / sizes.tokens % sizes.heads;
  let sample = i / sizes.tokens / sizes.heads;
  let width = 3u * sizes.heads * sizes.channels;
  let q = sample * sizes.tokens * width + head * sizes.channels;
  let k = (sample * sizes.tokens + token) * width + (sizes.heads + head) * sizes.channels;
  var dot = 0.0;
  for (var c = 0u; c < sizes.channels; c++) { dot += qkv[q + c] * qkv[k + c]; }
  scores[i] = sizes.scale * dot;
}

//#kernel headMean
@group(0) @binding(0) var<storage, read> weights: array<f32>;
@group(0) @binding(1) var<storage, read_write> logWeights: array<f32>;
struct Sizes { count: u32, length: u32, heads: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

const SHARPNESS = 2.0;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let first = i / sizes.length * sizes.heads * (sizes.length + 1u) + 1u + i % sizes.length;
  var sum = 0.0;
  for (var head = 0u; head < sizes.heads; head++) { sum += weights[first + head * (sizes.length + 1u)]; }
  logWeights[i] = SHARPNESS * log(sum / f32(sizes.heads) + 1e-9);
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
