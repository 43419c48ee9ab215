// groupNorm: GroupNorm, and BatchNorm of images: normalises sets of rows, then scales and shifts each channel.
//
//   forward      y = x̂ · w + b,   x̂ = (x − mean) · rstd,   rstd = 1 / sqrt(var + ε),   mean and var (÷ n) of the set
//   running      mean ← mean + momentum · (the set's − mean);  var likewise, by the unbiased one, · n / (n − 1)
//   backward     g = dy · w,   dx = rstd · (g − mean(g) − x̂ · mean(g · x̂));   FIXED (given statistics): dx = rstd · g
//   parameters   dw = Σ dy · x̂,   db = Σ dy, over batch and space
//
// Shapes   x, y, dy, dx: [B, C, S], a row being the S of one sample and channel;  w, b, dw, db, running: [C].
//          A set is `count` rows: row k of set s is s·setStride + k·rowStride, and row r belongs to set (r / perSet) mod sets.
//          GroupNorm: the C/G channels of a group (setStride C/G, rowStride 1). BatchNorm: a channel's B rows (1, C).
//          parts: [rows, blocks] (mean, Σ(x − mean)²) of up to 512 elements of a row, or (Σ dy, Σ dy · x̂) of them;
//          statistics: [2, sets] (mean, then rstd);  sums: [2, sets] (mean(g), then mean(g · x̂)).
// Mapping  Parts, rowSums: LANES invocations share a part. Sets, SetSums, Parameters: LANES share a set or a channel, a lane
//          takes every LANES-th part. Lanes' sums meet in workgroup memory, as a tree: the order follows from the shape alone.
//          Apply, Backward: one invocation an element.
// Source   Wu and He, Group Normalization (2018); Ioffe and Szegedy, Batch Normalization (2015); parts are joined by Chan,
//          Golub and LeVeque's formula (1979), since E[x²] − E[x]² cancels.

//#use reduce

const PART: u32 = 512u;

//#kernel groupNormParts
//#param LANES: u32
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> parts: array<vec2f>;
struct Sizes { parts: u32, blocks: u32, width: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let part = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let first = (part % sizes.blocks) * PART;
  let count = select(0u, min(PART, sizes.width - first), part < sizes.parts);
  let base = (part / sizes.blocks) * sizes.width + first;
  var sum = 0.0;
  for (var i = lane; i < count; i += LANES) { sum += x[base + i]; }
  let mean = laneSum(local, LANES, sum) / f32(max(1u, count));
  var squares = 0.0;
  for (var i = lane; i < count; i += LANES) {
    let centred = x[base + i] - mean;
    squares += centred * centred;
  }
  let total = laneSum(local, LANES, squares);
  if (lane == 0u && part < sizes.parts) { parts[part] = vec2f(mean, total); }
}

//#kernel groupNormSets
//#param LANES: u32
//#param RUNNING: bool
//#if RUNNING
@group(0) @binding(3) var<storage, read_write> runningMean: array<f32>;
@group(0) @binding(4) var<storage, read_write> runningVar: array<f32>;
//#end
@group(0) @binding(0) var<storage, read> parts: array<vec2f>;
@group(0) @binding(1) var<storage, read_write> statistics: array<f32>;
struct Sizes {
  sets: u32, count: u32, setStride: u32, rowStride: u32, blocks: u32, width: u32, eps: f32, momentum: f32,
}
@group(0) @binding(2) var<uniform> sizes: Sizes;

/// Of how many elements a block is.
fn sizeOf(block: u32) -> f32 { return f32(min(PART, sizes.width - block * PART)); }

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let which = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let count = select(0u, sizes.count * sizes.blocks, which < sizes.sets);
  let elements = f32(sizes.count) * f32(sizes.width);
  var sum = 0.0;
  for (var j = lane; j < count; j += LANES) {
    let row = which * sizes.setStride + (j / sizes.blocks) * sizes.rowStride;
    sum += sizeOf(j % sizes.blocks) * parts[row * sizes.blocks + j % sizes.blocks].x;
  }
  let mean = laneSum(local, LANES, sum) / elements;
  var squares = 0.0;
  for (var j = lane; j < count; j += LANES) {
    let row = which * sizes.setStride + (j / sizes.blocks) * sizes.rowStride;
    let part = parts[row * sizes.blocks + j % sizes.blocks];
    squares += part.y + sizeOf(j % sizes.blocks) * (part.x - mean) * (part.x - mean);
  }
  let total = laneSum(local, LANES, squares);
  if (lane == 0u && which < sizes.sets) {
    statistics[which] = mean;
    statistics[sizes.sets + which] = 1.0 / sqrt(total / elements + sizes.eps);
    //#if RUNNING
    runningMean[which] += sizes.momentum * (mean - runningMean[which]);
    runningVar[which] += sizes.momentum * (total / (elements - 1.0) - runningVar[which]);
    //#end
  }
}

//#kernel groupNormApply
//#param WEIGHT: bool
//#param BIAS: bool
//#if WEIGHT
@group(0) @binding(4) var<storage, read> weight: array<f32>;
//#end
//#if BIAS
@group(0) @binding(5) var<storage, read> bias: array<f32>;
//#end
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> statistics: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
struct Sizes { elements: u32, width: u32, channels: u32, perSet: u32, sets: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.elements) { return; }
  let row = i / sizes.width;
  let which = (row / sizes.perSet) % sizes.sets;
  var value = (x[i] - statistics[which]) * statistics[sizes.sets + which];
  //#if WEIGHT
  value *= weight[row % sizes.channels];
  //#end
  //#if BIAS
  value += bias[row % sizes.channels];
  //#end
  y[i] = value;
}

//#kernel groupNormRowSums
//#param LANES: u32
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> statistics: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<vec2f>;
struct Sizes { parts: u32, blocks: u32, width: u32, perSet: u32, sets: u32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let part = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let first = (part % sizes.blocks) * PART;
  let count = select(0u, min(PART, sizes.width - first), part < sizes.parts);
  let row = part / sizes.blocks;
  let base = row * sizes.width + first;
  let which = (row / sizes.perSet) % sizes.sets;
  let mean = statistics[which];
  let rstd = statistics[sizes.sets + which];
  var sum = 0.0;
  var products = 0.0;
  for (var i = lane; i < count; i += LANES) {
    sum += dy[base + i];
    products += dy[base + i] * (x[base + i] - mean) * rstd;
  }
  let total = laneSum(local, LANES, sum);
  let totalProducts = laneSum(local, LANES, products);
  if (lane == 0u && part < sizes.parts) { parts[part] = vec2f(total, totalProducts); }
}

//#kernel groupNormSetSums
//#param LANES: u32
//#param WEIGHT: bool
//#if WEIGHT
@group(0) @binding(3) var<storage, read> weight: array<f32>;
//#end
@group(0) @binding(0) var<storage, read> parts: array<vec2f>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
struct Sizes { sets: u32, count: u32, setStride: u32, rowStride: u32, blocks: u32, width: u32, channels: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let which = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let count = select(0u, sizes.count * sizes.blocks, which < sizes.sets);
  var sum = vec2f();
  for (var j = lane; j < count; j += LANES) {
    let row = which * sizes.setStride + (j / sizes.blocks) * sizes.rowStride;
    var part = parts[row * sizes.blocks + j % sizes.blocks];
    //#if WEIGHT
    part *= weight[row % sizes.channels];
    //#end
    sum += part;
  }
  let elements = f32(sizes.count) * f32(sizes.width);
  let meanG = laneSum(local, LANES, sum.x) / elements;
  let meanGX = laneSum(local, LANES, sum.y) / elements;
  if (lane == 0u && which < sizes.sets) {
    sums[which] = meanG;
    sums[sizes.sets + which] = meanGX;
  }
}

//#kernel groupNormParameters
//#param LANES: u32
//#param ACCUMULATE_WEIGHT: bool
//#param ACCUMULATE_BIAS: bool
@group(0) @binding(0) var<storage, read> parts: array<vec2f>;
@group(0) @binding(1) var<storage, read_write> dWeight: array<f32>;
@group(0) @binding(2) var<storage, read_write> dBias: array<f32>;
struct Sizes { channels: u32, count: u32, blocks: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let channel = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let count = select(0u, sizes.count * sizes.blocks, channel < sizes.channels);
  var sum = vec2f();
  for (var j = lane; j < count; j += LANES) {
    let row = channel + (j / sizes.blocks) * sizes.channels;
    sum += parts[row * sizes.blocks + j % sizes.blocks];
  }
  let biasSum = laneSum(local, LANES, sum.x);
  let weightSum = laneSum(local, LANES, sum.y);
  if (lane != 0u || channel >= sizes.channels) { return; }
  dWeight[channel] = weightSum + select(0.0, dWeight[channel], ACCUMULATE_WEIGHT);
  dBias[channel] = biasSum + select(0.0, dBias[channel], ACCUMULATE_BIAS);
}

//#kernel groupNormBackward
//#param WEIGHT: bool
//#param FIXED: bool
//#param ACCUMULATE: bool
//#if WEIGHT
@group(0) @binding(4) var<storage, read> weight: array<f32>;
//#end
//#if !FIXED
@group(0) @binding(5) var<storage, read> x: array<f32>;
@group(0) @binding(6) var<storage, read> sums: array<f32>;
//#end
@group(0) @binding(0) var<storage, read> statistics: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
struct Sizes { elements: u32, width: u32, channels: u32, perSet: u32, sets: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.elements) { return; }
  let row = i / sizes.width;
  let which = (row / sizes.perSet) % sizes.sets;
  let rstd = statistics[sizes.sets + which];
  var g = dy[i];
  //#if WEIGHT
  g *= weight[row % sizes.channels];
  //#end
  //#if !FIXED
  g -= sums[which] + (x[i] - statistics[which]) * rstd * sums[sizes.sets + which];
  //#end
  //#if ACCUMULATE
  dx[i] += rstd * g;
  //#else
  dx[i] = rstd * g;
  //#end
}
