// optimizer: what the optimizers share: the learning rate of a step, and gradients that nothing wrote.
//
//   clear    grad ← 0, of a parameter that a loss does not reach
//
// learningRate: `peak` (DECAY 0), or a rise in a line over `warmup` steps, then a fall to `minimum` by half a cosine (1) or
//          over the last `share` in a line (2), as src/optim/schedule.ts has it. step: [1] u32, steps done: it is counted here.
// Shapes   grad: [count] f32;  rate: [1], the learning rate.
// Mapping  one invocation an element; workgroups in rows of x, then y. learningRateStep: one invocation.

/// cos²(z) for 0 ≤ z ≤ π/2.
fn cosineSquared(z: f32) -> f32 {
  let u = z * z;
  let cosine = 1 - u * (0.5 - u * (1.0 / 24 - u * (1.0 / 720 - u * (1.0 / 40320 - u * (1.0 / 3628800 - u / 479001600)))));
  return cosine * cosine;
}

fn learningRate(done: f32, decay: u32, peak: f32, minimum: f32, warmup: f32, steps: f32, share: f32) -> f32 {
  if (decay == 0) { return peak; }
  if (done < warmup) { return peak * done / warmup; }
  let progress = min(1, (done - warmup) / max(1, steps - warmup));
  var height = min(1, (1 - progress) / share);
  if (decay == 1) { height = cosineSquared(1.5707963 * progress); }
  return minimum + (peak - minimum) * height;
}

//#kernel learningRateStep
//#param DECAY: u32
@group(0) @binding(0) var<storage, read_write> step: array<u32>;
@group(0) @binding(1) var<storage, read_write> rate: array<f32>;
struct Sizes { peak: f32, minimum: f32, warmup: f32, steps: f32, share: f32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(1)
fn main() {
  let done = step[0];
  step[0] = done + 1;
  rate[0] = learningRate(f32(done), DECAY, sizes.peak, sizes.minimum, sizes.warmup, sizes.steps, sizes.share);
}

//#kernel clearGradient
@group(0) @binding(0) var<storage, read_write> grad: array<f32>;
struct Sizes { count: u32 }
@group(0) @binding(1) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i < sizes.count) { grad[i] = 0.0; }
}
