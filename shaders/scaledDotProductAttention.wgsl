// scaledDotProductAttention: the weights of attention, a row of scores as probabilities, of which some keys are left out.
//
//   forward     y = exp(x − max) / Σ exp(x − max) over the keys that a query attends to, 0 elsewhere; all 0 where there is none
//   backward    dx (+)= y · (dy − Σ dy · y)
//
// Shapes   x, y, dy, dx: [rows, width], rows being [..., queries], width the keys. Where causal, query i attends to keys 0 to i.
//          MASK: mask (u32, 0 leaves out) is stretched to [..., queries, width]: steps of mask along RANK axes of the rows,
//          neighbours that are stretched alike taken as one, and maskColumn along the keys; 0 where it is stretched.
// Mapping  LANES invocations share a row, 64 / LANES rows a workgroup; a lane takes every LANES-th element, and the lanes meet in
//          workgroup memory as a tree, as in softmax.wgsl. Keys beyond a causal row's end are not read.

//#use reduce

//#kernel attentionWeights
//#param LANES: u32
//#param MASK: bool
//#param RANK: u32
struct Sizes {
  rows: u32, width: u32, queries: u32, causal: u32, maskColumn: u32,
  //#for K in 0..RANK: size${K}: u32, mask${K}: u32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
//#if MASK
@group(0) @binding(3) var<storage, read> mask: array<u32>;
//#end

fn maskPlace(row: u32) -> u32 {
  var rest = row;
  var at = 0u;
  //#for J in 0..RANK
  at += rest % sizes.size${RANK - 1 - J} * sizes.mask${RANK - 1 - J};
  rest /= sizes.size${RANK - 1 - J};
  //#end for J
  return at;
}

fn attends(place: u32, key: u32) -> bool {
  //#if MASK
  return mask[place + key * sizes.maskColumn] != 0;
  //#else
  return true;
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
  let width = select(0u, sizes.width, row < sizes.rows);
  let end = select(width, min(width, row % max(sizes.queries, 1) + 1), sizes.causal != 0);
  let base = row * width;
  let place = maskPlace(row);

  var largest = LOWEST;
  for (var i = lane; i < end; i += LANES) {
    if (attends(place, i)) { largest = max(largest, x[base + i]); }
  }
  let rowMax = laneMax(local, LANES, largest);

  var sum = 0.0;
  for (var i = lane; i < end; i += LANES) {
    if (attends(place, i)) { sum += exp(x[base + i] - rowMax); }
  }
  let total = laneSum(local, LANES, sum);
  let scale = select(0.0, 1.0 / total, total > 0);

  for (var i = lane; i < width; i += LANES) {
    var value = 0.0;
    if (i < end && attends(place, i)) { value = exp(x[base + i] - rowMax) * scale; }
    y[base + i] = value;
  }
}

//#kernel attentionWeightsBackward
//#param LANES: u32
//#param ACCUMULATE: bool
struct Sizes { rows: u32, width: u32, queries: u32, causal: u32 }
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
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
  let end = select(width, min(width, row % max(sizes.queries, 1) + 1), sizes.causal != 0);
  let base = row * width;

  var products = 0.0;
  for (var i = lane; i < end; i += LANES) { products += dy[base + i] * y[base + i]; }
  let mean = laneSum(local, LANES, products);

  for (var i = lane; i < width; i += LANES) {
    var value = 0.0;
    if (i < end) { value = y[base + i] * (dy[base + i] - mean); }
    //#if ACCUMULATE
    dx[base + i] += value;
    //#else
    dx[base + i] = value;
    //#end
  }
}
