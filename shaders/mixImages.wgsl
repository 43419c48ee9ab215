// mixImages: what fine-tuning does to a batch of normalised images: random erasing of each, then mixup or cutmix with
// the batch in reverse order.
//
//   e(s) = image s, where pixel (y, x) lies in its box of `erased`: standard normal noise instead
//   out[s] = e(S − 1 − s) where the pixel lies in the box of `mix`, else λ · e(s) + (1 − λ) · e(S − 1 − s)
//
//   noise of element i of a sample: Box-Muller of words 0 and 1 of philox((i, step, purpose, sample), seed)
//   mixup: no box.  cutmix: λ = 1, and a box.  neither: λ = 1 and no box.
//
// Shapes   images, out: [S, C, H, W];  erased: [S, 4] (y, end of y, x, end of x), an empty box where nothing is;
//          mix: [5] (λ, y, end of y, x, end of x);  counter: [4] (seed low, seed high, purpose, step).
// Mapping  one invocation an element.
// Source   Zhong et al., Random Erasing (2017); Zhang et al., mixup (2017); Yun et al., CutMix (2019).

//#use philox

const WORKGROUP: u32 = 64u;

fn isInside(box: vec4f, y: u32, x: u32) -> bool {
  let at = vec2f(f32(y), f32(x));
  return at.x >= box.x && at.x < box.y && at.y >= box.z && at.y < box.w;
}

//#kernel mixImages
@group(0) @binding(0) var<storage, read> images: array<f32>;
@group(0) @binding(1) var<storage, read> erased: array<vec4f>;
@group(0) @binding(2) var<storage, read> mix: array<f32, 5>;
@group(0) @binding(3) var<storage, read> counter: array<u32, 4>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
struct Sizes { count: u32, samples: u32, channels: u32, height: u32, width: u32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

// Element i of a sample, whose pixel is (y, x), erased where it is to be.
fn erasedAt(sample: u32, i: u32, y: u32, x: u32) -> f32 {
  if (!isInside(erased[sample], y, x)) { return images[sample * sizes.channels * sizes.height * sizes.width + i]; }
  let words = philox(vec4u(i, counter[3], counter[2], sample), vec2u(counter[0], counter[1]));
  // Uniform on (0, 1] and [0, 1) in steps of 2⁻²⁴.
  let u = f32((words.x >> 8u) + 1u) * exp2(-24.0);
  let v = f32(words.y >> 8u) * exp2(-24.0);
  return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= sizes.count) { return; }
  let span = sizes.channels * sizes.height * sizes.width;
  let sample = at / span;
  let i = at % span;
  let x = i % sizes.width;
  let y = i / sizes.width % sizes.height;
  let partner = erasedAt(sizes.samples - 1u - sample, i, y, x);
  if (isInside(vec4f(mix[1], mix[2], mix[3], mix[4]), y, x)) {
    out[at] = partner;
    return;
  }
  let own = erasedAt(sample, i, y, x);
  // Where λ is 1, exactly the image: 0 · partner could be −0, or NaN of no image's making.
  out[at] = select(mix[0] * own + (1.0 - mix[0]) * partner, own, mix[0] == 1.0);
}
