// adamw: one step of AdamW over a flat arena of parameters.
//
//   g ← clip · grad,   p ← p · (1 − lr·scale·decay)
//   m ← β1·m + (1 − β1)·g,   v ← β2·v + (1 − β2)·g²
//   p ← p − lr·scale / (1 − β1ᵗ) · m / (√v / √(1 − β2ᵗ) + ε)
//
// HALF: halves ← p, rounded to f16, in the same pass. SCALED: where norm says so, nothing is changed at all.
// COUPLED: Adam, whose decay is a part of the gradient:  g ← clip · grad + decay · p, and p is not shrunk.
//
// Shapes   values, grads, m, v: [count] f32, tensors at multiples of 64 elements, zeros between them.
//          segments: [count / 64] (scale, decay): what holds for each run of 64 elements.
//          hyper: lr, √(1 − β2ᵗ), 1 / (1 − β1ᵗ), β1, 1 − β1, β2, 1 − β2, ε, written by the host each step, whose
//          float64 keeps 1 − βᵗ exact to the last bit of f32; or by adamwHyper, to a few roundings.
//          step: [1] u32, steps done: what adamwHyper counts on.
//          norm: [2] (norm of all gradients, clip), from gradientNorm; SCALED: [5], the third 0 where the step is skipped.
//          halves: [count] f16.
// adamwHyper: the learning rate of the step is `peak` (DECAY 0), or rises in a line over `warmup` steps, then falls to
//          `minimum` by half a cosine (1) or over the last `share` in a line (2), as src/optim/schedule.ts has it. 1 − βᵗ is
//          −expm1(t·ln β), by its series near 0, so that little is lost of it at the first steps.
//
// Mapping  one invocation four elements, which are of one tensor; workgroups in rows of x, then y. adamwHyper: one invocation.
// Source   Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019); Kingma and Ba, Adam (2015); in the order of
//          operations of PyTorch.

//#use optimizer

//#kernel adamw
//#param HALF: bool
//#param SCALED: bool
//#param COUPLED: bool
//#if HALF
//#enable f16
@group(0) @binding(8) var<storage, read_write> halves: array<vec4<f16>>;
//#end
@group(0) @binding(0) var<storage, read> grads: array<vec4f>;
@group(0) @binding(1) var<storage, read> segments: array<vec2f>;
@group(0) @binding(2) var<storage, read> hyper: array<f32, 8>;
@group(0) @binding(3) var<storage, read> norm: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> v: array<vec4f>;
struct Sizes { count: u32 }
@group(0) @binding(7) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.count / 4u) { return; }
  //#if SCALED
  if (norm[2] == 0.0) { return; }
  //#end
  let segment = segments[i / 16u];
  let lr = hyper[0] * segment.x;
  //#if COUPLED
  let g = norm[1] * grads[i] + segment.y * values[i];
  let decayed = values[i];
  //#else
  let g = norm[1] * grads[i];
  let decayed = values[i] - lr * segment.y * values[i];
  //#end
  let first = m[i] + hyper[4] * (g - m[i]);
  let second = hyper[5] * v[i] + hyper[6] * g * g;
  m[i] = first;
  v[i] = second;
  let value = decayed - lr * hyper[2] * first / (sqrt(second) / hyper[1] + hyper[7]);
  values[i] = value;
  //#if HALF
  halves[i] = vec4<f16>(value);
  //#end
}

//#kernel adamwHyper
//#param DECAY: u32
@group(0) @binding(0) var<storage, read_write> step: array<u32>;
@group(0) @binding(1) var<storage, read_write> hyper: array<f32>;
struct Sizes {
  peak: f32, minimum: f32, warmup: f32, steps: f32, share: f32,
  beta1: f32, rest1: f32, log1: f32, beta2: f32, rest2: f32, log2: f32, eps: f32,
}
@group(0) @binding(2) var<uniform> sizes: Sizes;

/// 1 − eˣ for x ≤ 0.
fn oneMinusExp(x: f32) -> f32 {
  let series = x * (1 + x * (1.0 / 2 + x * (1.0 / 6 + x * (1.0 / 24 + x * (1.0 / 120 + x * (1.0 / 720 + x / 5040))))));
  return select(1 - exp(x), -series, x > -0.5);
}

@compute @workgroup_size(1)
fn main() {
  let done = step[0];
  step[0] = done + 1;
  let t = f32(done + 1);
  hyper[0] = learningRate(f32(done), DECAY, sizes.peak, sizes.minimum, sizes.warmup, sizes.steps, sizes.share);
  hyper[1] = sqrt(oneMinusExp(t * sizes.log2));
  hyper[2] = 1 / oneMinusExp(t * sizes.log1);
  hyper[3] = sizes.beta1;
  hyper[4] = sizes.rest1;
  hyper[5] = sizes.beta2;
  hyper[6] = sizes.rest2;
  hyper[7] = sizes.eps;
}
