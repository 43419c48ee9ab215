// randAugment: one layer of RandAugment: each normalised image of a batch is changed by an operation of its own.
//
//   v = (image − shift) / factor: a level, 0 … 255;   out = clamp(changed v, 0 … 255) · factor + shift
//   b = v rounded, a byte;   L = Σ_c weight[c] · v[c], the pixel's luminance;   a = the operation's first value
//
//   0 nothing         out = image, to the bit
//   1 affine          v at a·(x + ½) + b·(y + ½) + c, d·(x + ½) + e·(y + ½) + f, bilinear; outside the image its mean
//   2 brightness      a · v
//   3 contrast        m + a · (v − m),   m = mean of L over the image
//   4 colour          L + a · (v − L)
//   5 sharpness       s + a · (v − s),   s = 3×3 mean that weighs the centre 5-fold; at the border s = v
//   6 posterize       b without what is left over when divided by a (2^bits dropped)
//   7 solarize        255 − v where b ≥ a
//   8 solarize-add    v + a where b < 128
//   9 auto-contrast   (v − low) · 255 / (high − low),   the least and greatest b of the channel
//  10 equalize        (step/2 + number of b in the channel that are less) / step, in whole numbers,
//                     step = (pixels − number of the greatest b) / 255;   where it is 0, v
//
// Shapes   images, out: [S, C, H, W];  operations: [S, 8] = (operation, its values a … f, 0);
//          norm: [C, 3] = (factor, shift, weight).
// Mapping  a workgroup a sample: first what its operation asks of the whole image, then an element an invocation at a
//          time. Counts are whole numbers; the one sum of floats is added in a fixed order.
// Source   Cubuk et al., RandAugment (2020); operations and edges as in Pillow, which rounds to bytes after each where
//          this does so only where an operation is one of bytes.

const LANES: u32 = 256u;

const NOTHING: u32 = 0u;
const AFFINE: u32 = 1u;
const BRIGHTNESS: u32 = 2u;
const CONTRAST: u32 = 3u;
const COLOUR: u32 = 4u;
const SHARPNESS: u32 = 5u;
const POSTERIZE: u32 = 6u;
const SOLARIZE: u32 = 7u;
const SOLARIZE_ADD: u32 = 8u;
const AUTO_CONTRAST: u32 = 9u;
const EQUALIZE: u32 = 10u;

//#kernel randAugment
@group(0) @binding(0) var<storage, read> images: array<f32>;
@group(0) @binding(1) var<storage, read> operations: array<f32>;
@group(0) @binding(2) var<storage, read> norm: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
struct Sizes { samples: u32, channels: u32, height: u32, width: u32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;

var<workgroup> sums: array<f32, LANES>;
var<workgroup> least: atomic<u32>;
var<workgroup> greatest: atomic<u32>;
var<workgroup> counts: array<atomic<u32>, 256>;
var<workgroup> table: array<u32, 256>;

// A channel of a sample: where it begins, and its normalisation.
struct Plane { first: u32, factor: f32, shift: f32 }

fn planeOf(sample: u32, channel: u32) -> Plane {
  let first = (sample * sizes.channels + channel) * sizes.height * sizes.width;
  return Plane(first, norm[3u * channel], norm[3u * channel + 1u]);
}

fn levelAt(plane: Plane, pixel: u32) -> f32 {
  return (images[plane.first + pixel] - plane.shift) / plane.factor;
}

fn byteOf(level: f32) -> u32 {
  return u32(clamp(level + 0.5, 0.0, 255.0));
}

fn luminance(sample: u32, pixel: u32) -> f32 {
  var sum = 0.0;
  for (var c = 0u; c < sizes.channels; c++) { sum += norm[3u * c + 2u] * levelAt(planeOf(sample, c), pixel); }
  return sum;
}

fn meanLuminance(sample: u32, local: u32) -> f32 {
  let pixels = sizes.height * sizes.width;
  var own = 0.0;
  for (var p = local; p < pixels; p += LANES) { own += luminance(sample, p); }
  sums[local] = own;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local < half) { sums[local] += sums[local + half]; }
  }
  workgroupBarrier();
  return sums[0] / f32(pixels);
}

// The least and greatest byte of a channel.
fn extremes(plane: Plane, local: u32) -> vec2f {
  workgroupBarrier(); // the channel before is done with them
  if (local == 0u) {
    atomicStore(&least, 255u);
    atomicStore(&greatest, 0u);
  }
  workgroupBarrier();
  var low = 255u;
  var high = 0u;
  for (var p = local; p < sizes.height * sizes.width; p += LANES) {
    let byte = byteOf(levelAt(plane, p));
    low = min(low, byte);
    high = max(high, byte);
  }
  atomicMin(&least, low);
  atomicMax(&greatest, high);
  workgroupBarrier();
  return vec2f(f32(atomicLoad(&least)), f32(atomicLoad(&greatest)));
}

// Fills `table` with what each byte of a channel becomes; false where all stay what they are.
fn equalizes(plane: Plane, local: u32) -> bool {
  workgroupBarrier(); // the channel before is done with them
  atomicStore(&counts[local], 0u);
  workgroupBarrier();
  let pixels = sizes.height * sizes.width;
  for (var p = local; p < pixels; p += LANES) { atomicAdd(&counts[byteOf(levelAt(plane, p))], 1u); }
  workgroupBarrier();
  var less = 0u;
  var last = 0u;
  for (var byte = 0u; byte < 256u; byte++) {
    let count = atomicLoad(&counts[byte]);
    if (byte < local) { less += count; }
    if (count > 0u) { last = count; }
  }
  let step = (pixels - last) / 255u;
  table[local] = min(255u, (step / 2u + less) / max(step, 1u));
  workgroupBarrier();
  return step > 0u;
}

fn resampled(plane: Plane, operation: u32, x: u32, y: u32) -> f32 {
  let to = vec3f(f32(x) + 0.5, f32(y) + 0.5, 1.0);
  let at = vec2f(
    dot(to, vec3f(operations[operation + 1u], operations[operation + 2u], operations[operation + 3u])),
    dot(to, vec3f(operations[operation + 4u], operations[operation + 5u], operations[operation + 6u])),
  );
  let size = vec2f(f32(sizes.width), f32(sizes.height));
  if (any(at < vec2f(0.0)) || any(at >= size)) { return -plane.shift / plane.factor; }
  let corner = floor(at - 0.5);
  let share = at - 0.5 - corner;
  let low = vec2u(max(corner, vec2f(0.0)));
  let high = vec2u(min(corner + 1.0, size - 1.0));
  let above = mix(levelAt(plane, low.y * sizes.width + low.x), levelAt(plane, low.y * sizes.width + high.x), share.x);
  let below = mix(levelAt(plane, high.y * sizes.width + low.x), levelAt(plane, high.y * sizes.width + high.x), share.x);
  return mix(above, below, share.y);
}

fn smoothed(plane: Plane, x: u32, y: u32) -> f32 {
  let pixel = y * sizes.width + x;
  let centre = levelAt(plane, pixel);
  if (x == 0u || y == 0u || x + 1u >= sizes.width || y + 1u >= sizes.height) { return centre; }
  var sum = 4.0 * centre;
  for (var row = 0u; row < 3u; row++) {
    let first = pixel + row * sizes.width - sizes.width - 1u;
    sum += levelAt(plane, first) + levelAt(plane, first + 1u) + levelAt(plane, first + 2u);
  }
  return sum / 13.0;
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let sample = group.x + group.y * groups.x;
  if (sample >= sizes.samples) { return; }
  let operation = 8u * sample;
  let what = u32(operations[operation]);
  let amount = operations[operation + 1u];

  var grey = 0.0;
  if (what == CONTRAST) { grey = meanLuminance(sample, local); }
  for (var c = 0u; c < sizes.channels; c++) {
    let plane = planeOf(sample, c);
    var range = vec2f(0.0);
    var isEqualized = false;
    if (what == AUTO_CONTRAST) { range = extremes(plane, local); }
    if (what == EQUALIZE) { isEqualized = equalizes(plane, local); }
    for (var p = local; p < sizes.height * sizes.width; p += LANES) {
      let at = plane.first + p;
      if (what == NOTHING) {
        out[at] = images[at];
        continue;
      }
      let level = levelAt(plane, p);
      let byte = byteOf(level);
      let x = p % sizes.width;
      let y = p / sizes.width;
      var changed = level;
      switch (what) {
        case AFFINE: { changed = resampled(plane, operation, x, y); }
        case BRIGHTNESS: { changed = amount * level; }
        case CONTRAST: { changed = grey + amount * (level - grey); }
        case COLOUR: {
          let own = luminance(sample, p);
          changed = own + amount * (level - own);
        }
        case SHARPNESS: {
          let own = smoothed(plane, x, y);
          changed = own + amount * (level - own);
        }
        case POSTERIZE: { changed = f32(byte - byte % u32(amount)); }
        case SOLARIZE: { changed = select(level, 255.0 - level, f32(byte) >= amount); }
        case SOLARIZE_ADD: { changed = select(level, level + amount, byte < 128u); }
        case AUTO_CONTRAST: {
          if (range.x < range.y) { changed = (level - range.x) * 255.0 / (range.y - range.x); }
        }
        case EQUALIZE: { if (isEqualized) { changed = f32(table[byte]); } }
        default: {}
      }
      out[at] = clamp(changed, 0.0, 255.0) * plane.factor + plane.shift;
    }
  }
}
