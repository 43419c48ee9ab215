// softmax: each row as probabilities, or as their logarithms (LOG).
//
//   forward     y = exp(x − max) / Σ exp(x − max)          LOG: y = x − max − ln Σ exp(x − max)
//   backward    dx (+)= y · (dy − Σ dy · y)                LOG: dx (+)= dy − exp(y) · Σ dy
//
// Shapes   x, y, dy, dx: [rows / inner, width, inner]: what is called a row goes along the axis of width; inner is 1 where
//          that is the last.
// Mapping  LANES invocations share a row, 64 / LANES rows a workgroup; a lane takes every LANES-th element, and the
//          lanes meet in workgroup memory as a tree. Where inner is large, LANES is small, so that reads of a workgroup lie in
//          pieces of 16 neighbours at least.

//#use reduce

//#kernel softmaxForward
//#param LANES: u32
//#param LOG: bool
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
struct Sizes { rows: u32, width: u32, inner: u32 }
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
  let step = sizes.inner;
  let base = row / step * width * step + row % step;

  var largest = LOWEST;
  for (var i = lane; i < width; i += LANES) { largest = max(largest, x[base + i * step]); }
  let rowMax = laneMax(local, LANES, largest);

  var sum = 0.0;
  for (var i = lane; i < width; i += LANES) { sum += exp(x[base + i * step] - rowMax); }
  let total = laneSum(local, LANES, sum);
  //#if LOG
  let logSum = log(total);
  for (var i = lane; i < width; i += LANES) { y[base + i * step] = x[base + i * step] - rowMax - logSum; }
  //#else
  let scale = 1.0 / total;
  for (var i = lane; i < width; i += LANES) { y[base + i * step] = exp(x[base + i * step] - rowMax) * scale; }
  //#end
}

//#kernel softmaxBackward
//#param LANES: u32
//#param LOG: bool
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
struct Sizes { rows: u32, width: u32, inner: u32 }
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
  let step = sizes.inner;
  let base = row / step * width * step + row % step;

  var sum = 0.0;
  //#if LOG
  for (var i = lane; i < width; i += LANES) { sum += dy[base + i * step]; }
  //#else
  for (var i = lane; i < width; i += LANES) { sum += dy[base + i * step] * y[base + i * step]; }
  //#end
  let mean = laneSum(local, LANES, sum);

  for (var i = lane; i < width; i += LANES) {
    //#if LOG
    let value = dy[base + i * step] - exp(y[base + i * step]) * mean;
    //#else
    let value = y[base + i * step] * (dy[base + i * step] - mean);
    //#end
    //#if ACCUMULATE
    dx[base + i * step] += value;
    //#else
    dx[base + i * step] = value;
    //#end
  }
}
