// cumsum: sums so far along an axis, and from the end on the way back. (A scan of chunks, their sums, and those again: Blelloch 1990.)
//
//   cumsum          y[r, t] (+)= Σ x[r, s] over the s ≤ t (REVERSE: s ≥ t) of t's chunk;  totals[r, c] = Σ of chunk c (TOTALS)
//   cumsumOffsets   y[r, t] += before[r, c − 1] (REVERSE: c + 1) for t in chunk c, where `before` is the cumsum of totals
//
// Shapes   x, y: [rows / inner, width, inner]: what is called a row goes along the axis of width. totals, before: the same with
//          `chunks` in the place of width, chunks = ⌈width / chunk⌉.
// Mapping  cumsum: LANES invocations share a chunk of a row, 64 / LANES chunks a workgroup. They walk it in strips: a lane adds up
//          four neighbours, the lanes scan their sums in workgroup memory, and what is before the strip is carried on. Neighbouring
//          workgroups take neighbouring rows where inner is large: see softmax.wgsl. The order follows from shape and LANES alone.
//          cumsumOffsets: one invocation an element.

struct Sizes { rows: u32, width: u32, inner: u32, chunk: u32, chunks: u32 }

//#kernel cumsum
//#param LANES: u32
//#param REVERSE: bool
//#param ACCUMULATE: bool
//#param TOTALS: bool
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
//#if TOTALS
@group(0) @binding(3) var<storage, read_write> totals: array<f32>;
//#end
var<workgroup> slots: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = (group.x + group.y * groups.x) * (64u / LANES) + local / LANES;
  let lane = local % LANES;
  let inside = at < sizes.rows * sizes.chunks;
  // Neighbours in `at` are neighbours along inner, then chunks.
  let outer = at / sizes.inner / sizes.chunks;
  let c = at / sizes.inner % sizes.chunks;
  let base = outer * sizes.width * sizes.inner + at % sizes.inner;
  let end = select(0u, min(sizes.width, (c + 1u) * sizes.chunk), inside);
  var carry = 0.0;
  for (var strip = 0u; strip < sizes.chunk; strip += 4u * LANES) {
    let first = c * sizes.chunk + strip + 4u * lane;
    var sums: array<f32, 4>;
    var sum = 0.0;
    //#for K in 0..4
    if (first + ${K}u < end) { sum += x[base + place(first + ${K}u, c, end) * sizes.inner]; }
    sums[${K}] = sum;
    //#end for K
    var before = carry;
    //#if LANES > 1
    slots[local] = sum;
    for (var span = 1u; span < LANES; span *= 2u) {
      workgroupBarrier();
      let other = slots[local - min(span, lane)];
      workgroupBarrier();
      if (lane >= span) { slots[local] += other; }
    }
    workgroupBarrier();
    if (lane > 0u) { before += slots[local - 1u]; }
    carry += slots[local - lane + LANES - 1u];
    workgroupBarrier();
    //#else
    carry += sum;
    //#end
    //#for K in 0..4
    if (first + ${K}u < end) {
      let i = base + place(first + ${K}u, c, end) * sizes.inner;
      //#if ACCUMULATE
      y[i] += before + sums[${K}];
      //#else
      y[i] = before + sums[${K}];
      //#end
    }
    //#end for K
  }
  //#if TOTALS
  if (lane == 0u && inside) { totals[at] = carry; }
  //#end
}

/// Where the t-th of a row lies; REVERSE goes through its chunk from the end.
fn place(t: u32, c: u32, end: u32) -> u32 {
  //#if REVERSE
  return c * sizes.chunk + end - 1u - t;
  //#else
  return t;
  //#end
}

//#kernel cumsumOffsets
//#param REVERSE: bool
@group(0) @binding(0) var<storage, read> before: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.rows * sizes.width) { return; }
  let outer = i / sizes.inner / sizes.width;
  let c = i / sizes.inner % sizes.width / sizes.chunk;
  let first = outer * sizes.chunks * sizes.inner + i % sizes.inner;
  //#if REVERSE
  if (c + 1u < sizes.chunks) { y[i] += before[first + (c + 1u) * sizes.inner]; }
  //#else
  if (c > 0u) { y[i] += before[first + (c - 1u) * sizes.inner]; }
  //#end
}
