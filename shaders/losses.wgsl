// losses: how far a prediction p is from a target t, element by element, and the slope in either. FUNCTION says how; the numbers
// are those of src/ops/losses.ts.
//
//   0 mse        (p − t)²
//   1 l1         |p − t|, slope 0 at 0
//   2 huber      d²/2 where |d| ≤ c, else c·(|d| − c/2);  d = p − t  (Huber 1964)
//   3 smoothL1   d²/(2c) where |d| < c, else |d| − c/2               (Girshick 2015)
//   4 bce        of a logit p: (1 − t)·p + (1 + (w − 1)·t)·ln(1 + e⁻ᵖ); w is a weight of the class, 1 unless WEIGHTED
//   5 klDiv      of a logarithm p: t·ln t − t·p, the former 0 where t is 0; the slope in t is NaN there, as PyTorch's
//
//   lossForward    losses[i] = f(p, t)
//   lossSums       sums[block] = Σ f(p, t) over the block's elements. Σ of them: see reduce.wgsl.
//   lossBackward   dp, or dt (SECOND), (+)= scale · dLoss · slope; dLoss of all, or of each element (EACH)
//
// Shapes   p, t, losses: elements of any shape;  sums: [blocks];  w: [weights], element i has the one at i / weightStep.
// Mapping  lossSums: as rowSums of reduce.wgsl, a workgroup a block of 4096. The others: one invocation an element.

//#use reduce

// By the bits, since a compiler may take it that no number is NaN.
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

// ln(1 + e⁻ˣ) without overflow; a series where a logarithm near 1 is not exact.
fn softplusOfNegative(x: f32) -> f32 {
  let e = exp(-abs(x));
  let series = e * (1 - e * (0.5 - e * (1.0 / 3 - e * (0.25 - e * (0.2 - e / 6)))));
  return max(-x, 0) + select(log(1 + e), series, e < 0.05);
}

fn sigmoidOf(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1, x >= 0) / (1 + e);
}

fn loss0(p: f32, t: f32, c: f32, w: f32) -> f32 { return (p - t) * (p - t); }
fn loss1(p: f32, t: f32, c: f32, w: f32) -> f32 { return abs(p - t); }
fn loss2(p: f32, t: f32, c: f32, w: f32) -> f32 {
  let d = abs(p - t);
  return select(c * (d - 0.5 * c), 0.5 * d * d, d <= c);
}
fn loss3(p: f32, t: f32, c: f32, w: f32) -> f32 {
  let d = abs(p - t);
  return select(d - 0.5 * c, 0.5 * d * d / c, d < c);
}
fn loss4(p: f32, t: f32, c: f32, w: f32) -> f32 {
  return (1 - t) * p + (1 + (w - 1) * t) * softplusOfNegative(p);
}
fn loss5(p: f32, t: f32, c: f32, w: f32) -> f32 { return select(t * log(t), 0, t == 0) - t * p; }

// In p, then in t.
fn slopeP0(p: f32, t: f32, c: f32, w: f32) -> f32 { return 2 * (p - t); }
fn slopeP1(p: f32, t: f32, c: f32, w: f32) -> f32 { return sign(p - t); }
fn slopeP2(p: f32, t: f32, c: f32, w: f32) -> f32 { return select(clamp(p - t, -c, c), p - t, isNan(p - t)); }
fn slopeP3(p: f32, t: f32, c: f32, w: f32) -> f32 {
  let d = p - t;
  return select(select(sign(d), d / c, abs(d) < c), d, isNan(d));
}
fn slopeP4(p: f32, t: f32, c: f32, w: f32) -> f32 { return (1 - t) - (1 + (w - 1) * t) * sigmoidOf(-p); }
fn slopeP5(p: f32, t: f32, c: f32, w: f32) -> f32 { return -t; }

fn slopeT0(p: f32, t: f32, c: f32, w: f32) -> f32 { return -slopeP0(p, t, c, w); }
fn slopeT1(p: f32, t: f32, c: f32, w: f32) -> f32 { return -slopeP1(p, t, c, w); }
fn slopeT2(p: f32, t: f32, c: f32, w: f32) -> f32 { return -slopeP2(p, t, c, w); }
fn slopeT3(p: f32, t: f32, c: f32, w: f32) -> f32 { return -slopeP3(p, t, c, w); }
fn slopeT4(p: f32, t: f32, c: f32, w: f32) -> f32 { return (w - 1) * softplusOfNegative(p) - p; }
fn slopeT5(p: f32, t: f32, c: f32, w: f32) -> f32 {
  return select(log(t) + 1 - p, bitcast<f32>(bitcast<u32>(t) | 0x7fc00000u), t == 0);
}

//#kernel lossForward
//#param FUNCTION: u32
//#param WEIGHTED: bool
@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> truth: array<f32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
struct Sizes { count: u32, weights: u32, weightStep: u32, c: f32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;
//#if WEIGHTED
@group(0) @binding(4) var<storage, read> weight: array<f32>;
//#end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  var w = 1.0;
  //#if WEIGHTED
  w = weight[i / sizes.weightStep % sizes.weights];
  //#end
  losses[i] = loss${FUNCTION}(prediction[i], truth[i], sizes.c, w);
}

//#kernel lossSums
//#param FUNCTION: u32
//#param WEIGHTED: bool
@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> truth: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
struct Sizes { count: u32, weights: u32, weightStep: u32, c: f32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;
//#if WEIGHTED
@group(0) @binding(4) var<storage, read> weight: array<f32>;
//#end

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let block = group.x + group.y * groups.x;
  let first = min(block * BLOCK, sizes.count);
  var sum = 0.0;
  var w = 1.0;
  for (var i = first + local; i < min(first + BLOCK, sizes.count); i += WORKGROUP) {
    //#if WEIGHTED
    w = weight[i / sizes.weightStep % sizes.weights];
    //#end
    sum += loss${FUNCTION}(prediction[i], truth[i], sizes.c, w);
  }
  let total = laneSum(local, WORKGROUP, sum);
  if (local == 0u && block * BLOCK < max(sizes.count, 1u)) { sums[block] = total; }
}

//#kernel lossBackward
//#param FUNCTION: u32
//#param WEIGHTED: bool
//#param SECOND: bool
//#param EACH: bool
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> truth: array<f32>;
@group(0) @binding(2) var<storage, read> dLoss: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
struct Sizes { count: u32, weights: u32, weightStep: u32, c: f32, scale: f32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;
//#if WEIGHTED
@group(0) @binding(5) var<storage, read> weight: array<f32>;
//#end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  var w = 1.0;
  //#if WEIGHTED
  w = weight[i / sizes.weightStep % sizes.weights];
  //#end
  //#if SECOND
  let slope = slopeT${FUNCTION}(prediction[i], truth[i], sizes.c, w);
  //#else
  let slope = slopeP${FUNCTION}(prediction[i], truth[i], sizes.c, w);
  //#end
  //#if EACH
  let value = sizes.scale * dLoss[i] * slope;
  //#else
  let value = sizes.scale * dLoss[0] * slope;
  //#end
  //#if ACCUMULATE
  gradient[i] += value;
  //#else
  gradient[i] = value;
  //#end
}
