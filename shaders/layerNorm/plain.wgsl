// layerNorm, the reference: any D, elements one by one.
//
// Mapping  forward, backward: LANES invocations share a row, 64 / LANES rows a workgroup; a lane takes every LANES-th
//          element, and the row's sums meet in workgroup memory, as a tree. On software adapters a row is one
//          invocation's: there, barriers cost more than anything they save.
//          parameters: an invocation sums one column over a block of rows; splitKReduce sums the blocks in order: the
//          order is fixed by the shape, no atomics.

//#use reduce
//#use layerNorm/common

//#kernel layerNormForward
//#param WEIGHT: bool
//#param BIAS: bool
//#param RMS: bool
//#param HALF: bool
//#if HALF
//#enable f16
alias Element = f16;
//#else
alias Element = f32;
//#end
//#param LANES: u32
@group(0) @binding(0) var<storage, read> x: array<f32>;
//#if WEIGHT
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
//#end
//#if BIAS
@group(0) @binding(2) var<storage, read> beta: array<f32>;
//#end
@group(0) @binding(3) var<storage, read_write> y: array<Element>;
//#if !RMS
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
//#end
@group(0) @binding(5) var<storage, read_write> rstd: array<f32>;
struct Sizes { rows: u32, width: u32, eps: f32 }
@group(0) @binding(6) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let width = select(0u, sizes.width, row < sizes.rows);
  let base = row * width;

  //#if RMS
  let rowMean = 0.0;
  //#else
  var sum = 0.0;
  for (var i = lane; i < width; i += LANES) { sum += x[base + i]; }
  let rowMean = laneSum(local, LANES, sum) / f32(sizes.width);
  //#end

  var squares = 0.0;
  for (var i = lane; i < width; i += LANES) {
    let centred = x[base + i] - rowMean;
    squares += centred * centred;
  }
  let rowRstd = 1.0 / sqrt(laneSum(local, LANES, squares) / f32(sizes.width) + sizes.eps);

  for (var i = lane; i < width; i += LANES) {
    //#if WEIGHT && BIAS
    y[base + i] = Element((x[base + i] - rowMean) * rowRstd * gamma[i] + beta[i]);
    //#else
    var value = (x[base + i] - rowMean) * rowRstd;
    //#if WEIGHT
    value *= gamma[i];
    //#end
    //#if BIAS
    value += beta[i];
    //#end
    y[base + i] = Element(value);
    //#end if WEIGHT && BIAS
  }
  if (lane == 0u && row < sizes.rows) {
    //#if !RMS
    mean[row] = rowMean;
    //#end
    rstd[row] = rowRstd;
  }
}

//#kernel layerNormBackward
//#param WEIGHT: bool
//#param RMS: bool
//#param HALF: bool
//#if HALF
//#enable f16
alias Element = f16;
//#else
alias Element = f32;
//#end
//#param LANES: u32
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> x: array<f32>;
//#if WEIGHT
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
//#end
//#if !RMS
@group(0) @binding(2) var<storage, read> mean: array<f32>;
//#end
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<Element>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
struct Sizes { rows: u32, width: u32 }
@group(0) @binding(6) var<uniform> sizes: Sizes;

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
  var rowMean = 0.0;
  var rowRstd = 0.0;
  if (inside) {
    //#if !RMS
    rowMean = mean[row];
    //#end
    rowRstd = rstd[row];
  }

  var sum = 0.0;
  var products = 0.0;
  for (var i = lane; i < width; i += LANES) {
    //#if WEIGHT
    let g = f32(dy[base + i]) * gamma[i];
    //#else
    let g = f32(dy[base + i]);
    //#end
    sum += g;
    products += g * (x[base + i] - rowMean) * rowRstd;
  }
  //#if RMS
  let meanG = 0.0;
  //#else
  let meanG = laneSum(local, LANES, sum) / f32(sizes.width);
  //#end
  let meanGX = laneSum(local, LANES, products) / f32(sizes.width);

  for (var i = lane; i < width; i += LANES) {
    let centred = (x[base + i] - rowMean) * rowRstd;
    //#if WEIGHT
    let value = rowRstd * (f32(dy[base + i]) * gamma[i] - meanG - centred * meanGX);
    //#else
    let value = rowRstd * (f32(dy[base + i]) - meanG - centred * meanGX);
    //#end
    //#if ACCUMULATE
    dx[base + i] += value;
    //#else
    dx[base + i] = value;
    //#end
  }
}

//#kernel layerNormParameters
//#param RMS: bool
//#param HALF: bool
//#if HALF
//#enable f16
alias Element = f16;
//#else
alias Element = f32;
//#end
@group(0) @binding(0) var<storage, read> x: array<f32>;
//#if !RMS
@group(0) @binding(1) var<storage, read> mean: array<f32>;
//#end
@group(0) @binding(2) var<storage, read> rstd: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<Element>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;
struct Sizes { rows: u32, width: u32, rowsPerBlock: u32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let block = id.y;
  if (column >= sizes.width) { return; }
  var dGamma = 0.0;
  var dBeta = 0.0;
  let end = min(sizes.rows, (block + 1u) * sizes.rowsPerBlock);
  for (var row = block * sizes.rowsPerBlock; row < end; row++) {
    let g = f32(dy[row * sizes.width + column]);
    //#if RMS
    dGamma += g * x[row * sizes.width + column] * rstd[row];
    //#else
    dGamma += g * (x[row * sizes.width + column] - mean[row]) * rstd[row];
    //#end
    dBeta += g;
  }
  partials[(2u * block) * sizes.width + column] = dGamma;
  partials[(2u * block + 1u) * sizes.width + column] = dBeta;
}
