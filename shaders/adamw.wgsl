// adamw: one step of AdamW over a flat arena of parameters.
//
//   g ← clip · grad,   p ← p · (1 − lr·scale·decay)
//   m ← β1·m + (1 − β1)·g,   v ← β2·v + (1 − β2)·g²
//   p ← p − lr·scale / (1 − β1ᵗ) · m / (√v / √(1 − β2ᵗ) + ε)
//
// HALF: halves ← p, rounded to f16, in the same pass. SCALED: where norm says so, nothing is changed at all.
//
// Shapes   values, grads, m, v: [count] f32, tensors at multiples of 64 elements, zeros between them.
//          segments: [count / 64] (scale, decay): what holds for each run of 64 elements.
//          hyper: lr, √(1 − β2ᵗ), 1 / (1 − β1ᵗ), β1, 1 − β1, β2, 1 − β2, ε, written by the host each step, whose
//          float64 keeps 1 − βᵗ exact to the last bit of f32.
//          norm: [2] (norm of all gradients, clip), from gradientNorm; SCALED: [5], the third 0 where the step is skipped.
//          halves: [count] f16.
// Mapping  one invocation an element; workgroups in rows of x, then y.
// Source   Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019), in the order of operations of PyTorch.

//#kernel adamw
//#param HALF: bool
//#param SCALED: bool
//#if HALF
//#enable f16
@group(0) @binding(8) var<storage, read_write> halves: array<f16>;
//#end
@group(0) @binding(0) var<storage, read> grads: array<f32>;
@group(0) @binding(1) var<storage, read> segments: array<vec2f>;
@group(0) @binding(2) var<storage, read> hyper: array<f32, 8>;
@group(0) @binding(3) var<storage, read> norm: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> m: array<f32>;
@group(0) @binding(6) var<storage, read_write> v: array<f32>;
struct Sizes { count: u32 }
@group(0) @binding(7) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.count) { return; }
  //#if SCALED
  if (norm[2] == 0.0) { return; }
  //#end
  let segment = segments[i / 64u];
  let lr = hyper[0] * segment.x;
  let g = norm[1] * grads[i];
  let first = m[i] + hyper[4] * (g - m[i]);
  let second = hyper[5] * v[i] + hyper[6] * g * g;
  m[i] = first;
  v[i] = second;
  let decayed = values[i] - lr * segment.y * values[i];
  let value = decayed - lr * hyper[2] * first / (sqrt(second) / hyper[1] + hyper[7]);
  values[i] = value;
  //#if HALF
  halves[i] = f16(value);
  //#end
}
