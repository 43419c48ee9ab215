// optimizer/momentum: the updates that keep one moment at most.
//
//   g ← clip · grad
//   SGD      g ← g + decay · p,   m ← μ·m + g,   p ← p − lr·scale · m;   NESTEROV: p ← p − lr·scale · (g + μ·m)
//            without MOMENT: p ← p − lr·scale · g
//   LION     p ← p · (1 − lr·scale·decay) − lr·scale · sign(β1·m + (1 − β1)·g),   m ← β2·m + (1 − β2)·g
//
// HALF: halves ← p, rounded to f16, in the same pass. SCALED: where norm says so, nothing is changed at all.
//
// Shapes   values, grads, m: [count] f32, tensors at multiples of 64 elements, zeros between them.
//          segments: [count / 64] (scale, decay);  rate: [1], the learning rate;  halves: [count] f16.
//          norm: [2] (norm of all gradients, clip), from gradientNorm; SCALED: [5], the third 0 where the step is skipped.
// Mapping  one invocation four elements, which are of one tensor; workgroups in rows of x, then y.
// Source   Sutskever et al., On the importance of initialization and momentum (2013), in PyTorch's form, without dampening;
//          Chen et al., Symbolic Discovery of Optimization Algorithms (2023).

//#kernel momentumStep
//#param HALF: bool
//#param SCALED: bool
//#param LION: bool
//#param NESTEROV: bool
//#param MOMENT: bool
//#if HALF
//#enable f16
@group(0) @binding(7) var<storage, read_write> halves: array<vec4<f16>>;
//#end
@group(0) @binding(0) var<storage, read> grads: array<vec4f>;
@group(0) @binding(1) var<storage, read> segments: array<vec2f>;
@group(0) @binding(2) var<storage, read> rate: array<f32>;
@group(0) @binding(3) var<storage, read> norm: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<vec4f>;
//#if MOMENT
@group(0) @binding(5) var<storage, read_write> m: array<vec4f>;
//#end
struct Sizes { count: u32, first: f32, rest: f32, second: f32, secondRest: f32 }
@group(0) @binding(6) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.count / 4u) { return; }
  //#if SCALED
  if (norm[2] == 0.0) { return; }
  //#end
  let segment = segments[i / 16u];
  let lr = rate[0] * segment.x;
  //#if LION
  let g = norm[1] * grads[i];
  let before = m[i];
  m[i] = sizes.second * before + sizes.secondRest * g;
  let value = values[i] - lr * segment.y * values[i] - lr * sign(sizes.first * before + sizes.rest * g);
  //#else
  let g = norm[1] * grads[i] + segment.y * values[i];
  var update = g;
  //#if MOMENT
  let moved = sizes.first * m[i] + g;
  m[i] = moved;
  update = moved;
  //#if NESTEROV
  update = g + sizes.first * moved;
  //#end
  //#end if MOMENT
  let value = values[i] - lr * update;
  //#end if LION
  values[i] = value;
  //#if HALF
  halves[i] = vec4<f16>(value);
  //#end
}
