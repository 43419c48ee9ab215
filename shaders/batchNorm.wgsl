// batchNorm: normalises each column over the batch, without scale and shift: BatchNorm1d(affine=False). Images, and what is
// scaled and shifted, are groupNorm's.
//
//   training        mean, var (÷ B) of the batch, in two passes;  rstd = 1 / sqrt(var + ε);  y = (x − mean) · rstd
//                   running mean ← (1 − momentum) · it + momentum · mean;  running var likewise with var · B / (B − 1)
//   evaluation      mean and var are the running ones
//   backward        training:   dx = rstd · (dy − mean(dy) − x̂ · mean(dy · x̂)),  x̂ = (x − mean) · rstd
//                   evaluation: dx = rstd · dy
//
// Shapes   x, y, dy, dx: [B, D];  runningMean, runningVar: [D];  statistics: [2, D] (mean, then rstd);
//          sums: [2, D] (mean(dy), then mean(dy · x̂)).
// Mapping  statistics and sums: LANES invocations share a column, a lane takes every LANES-th row, and the lanes' sums
//          meet in workgroup memory, as a tree. apply and backward: one invocation an element.
// Source   Ioffe and Szegedy, Batch Normalization (2015); as in PyTorch, the running variance is the unbiased one.

//#use reduce

//#kernel batchNormStatistics
//#param LANES: u32
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> runningMean: array<f32>;
@group(0) @binding(2) var<storage, read_write> runningVar: array<f32>;
@group(0) @binding(3) var<storage, read_write> statistics: array<f32>;
struct Sizes { rows: u32, width: u32, eps: f32, momentum: f32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let column = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let inside = column < sizes.width;
  let rows = select(0u, sizes.rows, inside);

  var sum = 0.0;
  for (var row = lane; row < rows; row += LANES) { sum += x[row * sizes.width + column]; }
  let mean = laneSum(local, LANES, sum) / f32(sizes.rows);

  var squares = 0.0;
  for (var row = lane; row < rows; row += LANES) {
    let centred = x[row * sizes.width + column] - mean;
    squares += centred * centred;
  }
  let total = laneSum(local, LANES, squares);
  if (lane == 0u && inside) {
    let at = sizes.width + column;
    statistics[column] = mean;
    statistics[at] = 1.0 / sqrt(total / f32(sizes.rows) + sizes.eps);
    runningMean[column] += sizes.momentum * (mean - runningMean[column]);
    runningVar[column] += sizes.momentum * (total / f32(sizes.rows - 1u) - runningVar[column]);
  }
}

//#kernel batchNormRunning
@group(0) @binding(0) var<storage, read> runningMean: array<f32>;
@group(0) @binding(1) var<storage, read> runningVar: array<f32>;
@group(0) @binding(2) var<storage, read_write> statistics: array<f32>;
struct Sizes { width: u32, eps: f32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  if (column >= sizes.width) { return; }
  statistics[column] = runningMean[column];
  statistics[sizes.width + column] = 1.0 / sqrt(runningVar[column] + sizes.eps);
}

//#kernel batchNormApply
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> statistics: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
struct Sizes { count: u32, width: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let column = i % sizes.width;
  y[i] = (x[i] - statistics[column]) * statistics[sizes.width + column];
}

//#kernel batchNormSums
//#param LANES: u32
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> statistics: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
struct Sizes { rows: u32, width: u32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let column = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let inside = column < sizes.width;
  let rows = select(0u, sizes.rows, inside);
  var mean = 0.0;
  var rstd = 0.0;
  if (inside) {
    mean = statistics[column];
    rstd = statistics[sizes.width + column];
  }

  var sum = 0.0;
  var products = 0.0;
  for (var row = lane; row < rows; row += LANES) {
    let at = row * sizes.width + column;
    sum += dy[at];
    products += dy[at] * (x[at] - mean) * rstd;
  }
  let meanG = laneSum(local, LANES, sum) / f32(sizes.rows);
  let meanGX = laneSum(local, LANES, products) / f32(sizes.rows);
  if (lane == 0u && inside) {
    sums[column] = meanG;
    sums[sizes.width + column] = meanGX;
  }
}

//#kernel batchNormBackward
//#param TRAINING: bool
//#param ACCUMULATE: bool
//#if TRAINING
@group(0) @binding(4) var<storage, read> x: array<f32>;
@group(0) @binding(5) var<storage, read> sums: array<f32>;
//#end
@group(0) @binding(0) var<storage, read> statistics: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
struct Sizes { count: u32, width: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let column = i % sizes.width;
  let rstd = statistics[sizes.width + column];
  //#if TRAINING
  let centred = (x[i] - statistics[column]) * rstd;
  let value = rstd * (dy[i] - sums[column] - centred * sums[sizes.width + column]);
  //#else
  let value = rstd * dy[i];
  //#end
  //#if ACCUMULATE
  dx[i] += value;
  //#else
  dx[i] = value;
  //#end
}
