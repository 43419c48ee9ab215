// crossEntropy: of soft targets with the softmax of logits, without making the softmax.
//
//   forward     losses[b] = −Σ_k t · logSoftmax(x),   logSoftmax(x) = x − max − log Σ exp(x − max)
//               Σ_b of them: see reduce.wgsl.
//   gradient    dLogits (+)= scale · dLoss · (exp(x − logSumExp) · Σ_k t − t)
//
// Shapes   logits, targets, dLogits: [B, K];  losses: [B];  statistics: [B] of (logSumExp, Σ_k t);  dLoss: [1].
// Mapping  forward: as softmax.wgsl, LANES invocations a row. gradient: one invocation an element.

//#use softmax

//#kernel crossEntropyForward
//#param LANES: u32
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;
@group(0) @binding(3) var<storage, read_write> statistics: array<vec2f>;
struct Sizes { rows: u32, width: u32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;

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
    loss += targets[base + i] * (logSum - (logits[base + i] - rowMax));
    weight += targets[base + i];
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
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(3) var<storage, read> dLoss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dLogits: array<f32>;
struct Sizes { count: u32, width: u32, scale: f32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let row = statistics[i / sizes.width];
  let value = sizes.scale * dLoss[0] * (exp(logits[i] - row.x) * row.y - targets[i]);
  //#if ACCUMULATE
  dLogits[i] += value;
  //#else
  dLogits[i] = value;
  //#end
}
