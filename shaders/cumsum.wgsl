// cumsum: sums so far along an axis, and from the end on the way back: y[r, t] (+)= Σ x[r, s] over s ≤ t (REVERSE: s ≥ t).
//
// Long rows are cut into chunks: their sums come first (TOTALS), these are summed so far in turn, and then each chunk begins
// with what is before it (BEFORE). (Reduce, then scan: Blelloch 1990.)
//
// Shapes   x, y: [rows / inner, width, inner]: what is called a row goes along the axis of width. With TOTALS, y, and with BEFORE,
//          before: the same with `chunks` in the place of width, chunks = ⌈width / chunk⌉.
// Mapping  LANES invocations share a chunk of a row, 64 / LANES chunks a workgroup. They walk it in strips: a lane adds up four
//          neighbours, the lanes scan their sums in workgroup memory, and what is before the strip is carried on. Chunks are
//          neighbours where their rows are along inner: see softmax.wgsl. The order follows from the shape and LANES alone.

//#kernel cumsum
//#param LANES: u32
//#param REVERSE: bool
//#param ACCUMULATE: bool
//#param TOTALS: bool
//#param BEFORE: bool
struct Sizes { rows: u32, width: u32, inner: u32, chunk: u32, chunks: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
//#if BEFORE
@group(0) @binding(3) var<storage, read> before: array<f32>;
//#end
var<workgroup> slots: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (group.x + group.y * groups.x) * (64 / LANES) + local / LANES;
  let lane = local % LANES;
  let inner = sizes.inner;
  let inside = at < sizes.rows * sizes.chunks;
  let c = at / inner % sizes.chunks;
  let first = c * sizes.chunk;
  let end = select(0u, min(sizes.width, first + sizes.chunk), inside);
  let base = at / inner / sizes.chunks * sizes.width * inner + at % inner;
  var carry = 0.0;
  //#if BEFORE
  //#if REVERSE
  if (inside && c + 1 < sizes.chunks) { carry = before[at + inner]; }
  //#else
  if (inside && c > 0) { carry = before[at - inner]; }
  //#end
  //#end
  for (var strip = 0u; strip < sizes.chunk; strip += 4 * LANES) {
    let t = first + strip + 4 * lane;
    var places: array<u32, 4>;
    var sums: array<f32, 4>;
    var sum = 0.0;
    //#for K in 0..4
    //#if REVERSE
    places[${K}] = base + (first + end - 1 - t - ${K}) * inner;
    //#else
    places[${K}] = base + (t + ${K}) * inner;
    //#end
    if (t + ${K} < end) { sum += x[places[${K}]]; }
    sums[${K}] = sum;
    //#end for K
    slots[local] = sum;
    for (var span = 1u; span < LANES; span *= 2) {
      workgroupBarrier();
      let other = slots[local - min(span, lane)];
      workgroupBarrier();
      if (lane >= span) { slots[local] += other; }
    }
    workgroupBarrier();
    let start = carry + select(0.0, slots[max(local, 1) - 1], lane > 0);
    carry += slots[local - lane + LANES - 1];
    workgroupBarrier();
    //#if !TOTALS
    //#for K in 0..4
    if (t + ${K} < end) { y[places[${K}]] = start + sums[${K}] + select(0.0, y[places[${K}]], ACCUMULATE); }
    //#end for K
    //#end
  }
  //#if TOTALS
  if (lane == 0 && inside) { y[at] = carry; }
  //#end
}
