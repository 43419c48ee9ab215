// crossEntropy: of targets with the softmax of logits, without making the softmax. Targets are probabilities, or the index of one
// class a row.
//
//   forward     losses[b] = −Σ_k t · logSoftmax(x),   logSoftmax(x) = x − max − log Σ exp(x − max)
//               Σ_b of them: see reduce.wgsl.
//   gradient    dLogits (+)= scale · dLoss · (exp(x − logSumExp) · Σ_k t − t)
//   targets     dTargets (+)= scale · dLoss · (1 − s) · (logSumExp − x)
//               Smoothing s puts (1 − s) · t + s/K in place of t (Szegedy et al. 2016).
//   index…      The same for t = 1 at the index and 0 elsewhere, which are not made. Without LOGITS, x are logarithms of
//               probabilities already: losses[b] = −x at the index. A row whose index is the one to ignore has loss and weight
//               0, one whose index is no class NaN (`outOfRange`). indexEntropyMean: the mean over the rows that are kept.
//
// Shapes   logits, targets, dLogits: [B, K];  losses: [B];  statistics: [B] of (logSumExp, Σ_k t);  dLoss: [1], or [B] (EACH).
//          index…: targets, logSums, weights, losses: [B];  total = Σ losses, kept = Σ weights: [1].
// Mapping  forward: as softmax.wgsl, LANES invocations a row. gradient: one invocation an element. indexEntropyMean: one in all.

//#use reduce

//#kernel crossEntropyForward
//#param LANES: u32
//#param SMOOTHED: bool
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(3) var<storage, read_write> statistics: array<vec2f>;
struct Sizes { rows: u32, width: u32, smoothing: f32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;

fn targetAt(i: u32) -> f32 {
  //#if SMOOTHED
  return (1 - sizes.smoothing) * targets[i] + sizes.smoothing / f32(sizes.width);
  //#else
  return targets[i];
  //#end
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let inside = row < sizes.rows;
  let width = select(0u, sizes.width, inside);
  let base = row * width;

  var largest = LOWEST;
  for (var i = lane; i < width; i += LANES) { largest = max(largest, logits[base + i]); }
  let rowMax = laneMax(local, LANES, largest);

  var sum = 0.0;
  for (var i = lane; i < width; i += LANES) { sum += exp(logits[base + i] - rowMax); }
  let logSum = log(laneSum(local, LANES, sum));

  var loss = 0.0;
  var weight = 0.0;
  for (var i = lane; i < width; i += LANES) {
    loss += targetAt(base + i) * (logSum - (logits[base + i] - rowMax));
    weight += targetAt(base + i);
  }
  let rowLoss = laneSum(local, LANES, loss);
  let rowWeight = laneSum(local, LANES, weight);
  if (lane == 0u && inside) {
    losses[row] = rowLoss;
    statistics[row] = vec2f(rowMax + logSum, rowWeight);
  }
}

//#kernel crossEntropyGradient
//#param ACCUMULATE: bool
//#param EACH: bool
//#param SMOOTHED: bool
//#param OF_TARGETS: bool
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(3) var<storage, read> dLoss: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;
struct Sizes { count: u32, width: u32, scale: f32, smoothing: f32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let row = statistics[i / sizes.width];
  //#if EACH
  let dRow = dLoss[i / sizes.width];
  //#else
  let dRow = dLoss[0];
  //#end
  //#if SMOOTHED
  let t = (1 - sizes.smoothing) * targets[i] + sizes.smoothing / f32(sizes.width);
  //#else
  let t = targets[i];
  //#end
  //#if OF_TARGETS
  let value = sizes.scale * dRow * (1 - sizes.smoothing) * (row.x - logits[i]);
  //#else
  let value = sizes.scale * dRow * (exp(logits[i] - row.x) * row.y - t);
  //#end
  //#if ACCUMULATE
  gradient[i] += value;
  //#else
  gradient[i] = value;
  //#end
}

//#kernel indexEntropyForward
//#param LANES: u32
//#param LOGITS: bool
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;
//#if LOGITS
@group(0) @binding(4) var<storage, read_write> logSums: array<f32>;
//#end
struct Sizes { rows: u32, width: u32, ignores: u32, ignoreIndex: u32, smoothing: f32, outOfRange: f32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let inside = row < sizes.rows;
  let width = select(0u, sizes.width, inside);
  let base = row * width;
  var rowMax = 0.0;
  var logSum = 0.0;
  var evenLoss = 0.0;
  //#if LOGITS
  var largest = LOWEST;
  for (var i = lane; i < width; i += LANES) { largest = max(largest, logits[base + i]); }
  rowMax = laneMax(local, LANES, largest);
  var sum = 0.0;
  for (var i = lane; i < width; i += LANES) { sum += exp(logits[base + i] - rowMax); }
  logSum = log(laneSum(local, LANES, sum));
  if (sizes.smoothing > 0) {
    var all = 0.0;
    for (var i = lane; i < width; i += LANES) { all += logSum - (logits[base + i] - rowMax); }
    evenLoss = laneSum(local, LANES, all) / f32(sizes.width);
  }
  //#end
  if (lane != 0u || !inside) { return; }
  let classAt = targets[row];
  var loss = sizes.outOfRange;
  var weight = 1.0;
  if (classAt < width) {
    let ofClass = logSum - (logits[base + classAt] - rowMax);
    loss = select((1 - sizes.smoothing) * ofClass + sizes.smoothing * evenLoss, ofClass, sizes.smoothing == 0);
  }
  if (sizes.ignores != 0u && classAt == sizes.ignoreIndex) {
    loss = 0;
    weight = 0;
  }
  losses[row] = loss;
  weights[row] = weight;
  //#if LOGITS
  logSums[row] = rowMax + logSum;
  //#end
}

//#kernel indexEntropyMean
@group(0) @binding(0) var<storage, read> total: array<f32>;
@group(0) @binding(1) var<storage, read> kept: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;

@compute @workgroup_size(1)
fn main() {
  loss[0] = total[0] / kept[0];
}

//#kernel indexEntropyGradient
//#param LOGITS: bool
//#param ACCUMULATE: bool
//#param EACH: bool
//#param KEPT: bool
@group(0) @binding(0) var<storage, read> targets: array<u32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> dLoss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dLogits: array<f32>;
//#if LOGITS
@group(0) @binding(4) var<storage, read> logits: array<f32>;
@group(0) @binding(5) var<storage, read> logSums: array<f32>;
//#end
//#if KEPT
@group(0) @binding(6) var<storage, read> kept: array<f32>;
//#end
struct Sizes { count: u32, width: u32, scale: f32, smoothing: f32, outOfRange: f32 }
@group(0) @binding(7) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let row = i / sizes.width;
  //#if EACH
  let dRow = dLoss[row];
  //#else
  //#if KEPT
  let dRow = dLoss[0] / kept[0];
  //#else
  let dRow = sizes.scale * dLoss[0];
  //#end
  //#end
  let classAt = targets[row];
  var slope = -select(0.0, 1 - sizes.smoothing, i % sizes.width == classAt) - sizes.smoothing / f32(sizes.width);
  //#if LOGITS
  slope += exp(logits[i] - logSums[row]);
  //#end
  slope = select(sizes.outOfRange, slope, classAt < sizes.width);
  // An ignored row takes none, whatever it holds.
  let value = select(dRow * slope, 0, weights[row] == 0);
  //#if ACCUMULATE
  dLogits[i] += value;
  //#else
  dLogits[i] = value;
  //#end
}
