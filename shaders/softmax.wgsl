// softmax: each row as probabilities.
//
//   forward     y = exp(x − max) / Σ exp(x − max)
//   backward    dx (+)= y · (dy − Σ dy · y)
//
// Shapes   x, y, dy, dx: [rows, width].
// Mapping  LANES invocations share a row, 64 / LANES rows a workgroup; a lane takes every LANES-th element, and the
//          lanes meet in workgroup memory as a tree.

//#use reduce

const LOWEST: f32 = -3.4028234e38;
var<workgroup> laneMaxima: array<f32, 64>;

// Maximum over the `lanes` invocations that share a row. Every invocation of the workgroup must call it.
fn laneMax(local: u32, lanes: u32, value: f32) -> f32 {
  laneMaxima[local] = value;
  workgroupBarrier();
  for (var span = lanes / 2u; span > 0u; span /= 2u) {
    if (local % lanes < span) { laneMaxima[local] = max(laneMaxima[local], laneMaxima[local + span]); }
    workgroupBarrier();
  }
  let largest = laneMaxima[local - local % lanes];
  workgroupBarrier();
  return largest;
}

//#kernel softmaxForward
//#param LANES: u32
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
struct Sizes { rows: u32, width: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

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

  var largest = LOWEST;
  for (var i = lane; i < width; i += LANES) { largest = max(largest, x[base + i]); }
  let rowMax = laneMax(local, LANES, largest);

  var sum = 0.0;
  for (var i = lane; i < width; i += LANES) { sum += exp(x[base + i] - rowMax); }
  let scale = 1.0 / laneSum(local, LANES, sum);

  for (var i = lane; i < width; i += LANES) { y[base + i] = exp(x[base + i] - rowMax) * scale; }
}

//#kernel softmaxBackward
//#param LANES: u32
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
struct Sizes { rows: u32, width: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

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

  var products = 0.0;
  for (var i = lane; i < width; i += LANES) { products += dy[base + i] * y[base + i]; }
  let mean = laneSum(local, LANES, products);

  for (var i = lane; i < width; i += LANES) {
    let value = y[base + i] * (dy[base + i] - mean);
    //#if ACCUMULATE
    dx[base + i] += value;
    //#else
    dx[base + i] = value;
    //#end
  }
}
