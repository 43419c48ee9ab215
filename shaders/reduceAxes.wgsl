// reduceAxes: what is left of x where any of its axes are taken together: sums, products, extremes, and the gradient.
//
//   forward     y[o] = finish(⊕ₜ term(x[o, t]))    o over the axes that are kept, t over those that are reduced
//   backward    dx[o, t] (+)= scale · dy[o] · slope(x[o, t])
//
// COMBINE says ⊕, TERM, FINISH and SLOPE the functions below, by their numbers in src/ops/reduceAxes.ts. What they need that one
// output shares, such as its mean, comes as `about`, a reduction of its own: so variance, logSumExp and norm take several
// passes, and neither cancels nor overflows. SIZED: deviations are squared in units of a power of two near `size`, the largest
// |x|, so that squares stay numbers of f32.
//
// Shapes   x in KEPT and REDUCED axes, neighbours that are treated alike taken as one: extents, and by how much an index of x moves
//          along each. sums: [chunks, outputs]: of each output and chunk of `chunk` terms one; about, size: [outputs].
//          Where there are several chunks, they are reduced in turn as the first axis of sums; only the last stage finishes.
// Mapping  a workgroup takes a chunk of 64 / lanes neighbouring outputs, `lanes` invocations each: a lane takes every lanes-th
//          term, and the lanes meet in workgroup memory as a tree. Where x is contiguous along the terms (rows), lanes are
//          neighbours (laneStep 1); where it is along the outputs (columns), outputs are (columnStep 1): reads are coalesced.
//          The order follows from the shapes: same bits every run. backward: one invocation an element of x.

const WORKGROUP: u32 = 64u;

// The bits, since a compiler may take it that no number is NaN.
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn isInfinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u; }
fn isSame(a: f32, b: f32) -> bool { return a == b || (isNan(a) && isNan(b)); }

// Power of two near x ≥ 0: what is scaled by it and back loses nothing.
fn powerNear(x: f32, inverse: bool) -> f32 {
  let exponent = clamp(bitcast<u32>(x) >> 23u, 1u, 253u);
  return bitcast<f32>(select(exponent, 254u - exponent, inverse) << 23u);
}

var<private> unit: f32 = 1; // the size of an output's terms

fn combine0(a: f32, b: f32) -> f32 { return a + b; }
fn combine1(a: f32, b: f32) -> f32 { return a * b; }
// Extremes hand NaN on, as PyTorch's do.
fn combine2(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, isNan(b)), a, isNan(a)); }
fn combine3(a: f32, b: f32) -> f32 { return select(select(min(a, b), b, isNan(b)), a, isNan(a)); }
fn combine4(a: u32, b: u32) -> u32 { return min(a, b); }

fn term0(x: f32, about: f32, t: u32) -> f32 { return x; }
fn term1(x: f32, about: f32, t: u32) -> f32 { return abs(x); }
fn term2(x: f32, about: f32, t: u32) -> f32 { return select(x, 1, x == 0); }
fn term3(x: f32, about: f32, t: u32) -> f32 { return select(0.0, 1, x == 0); }
fn term4(x: f32, about: f32, t: u32) -> f32 { return select(0.0, 1, isSame(x, about)); }
fn term5(x: f32, about: f32, t: u32) -> f32 {
  let scaled = (x - about) * powerNear(unit, true);
  return scaled * scaled;
}
fn term6(x: f32, about: f32, t: u32) -> f32 { return exp(x - select(about, 0, isInfinite(about))); }
fn term7(x: f32, about: f32, t: u32) -> f32 {
  let scaled = x * powerNear(about, true);
  return scaled * scaled;
}
// Places of what is the same, to find the first; then of those of the chunks.
fn term8(x: f32, about: f32, t: u32) -> u32 { return select(0xffffffffu, t, isSame(x, about)); }
fn term9(x: u32, about: f32, t: u32) -> u32 { return x; }

fn finish0(total: f32, about: f32) -> f32 { return total; }
fn finish1(total: f32, about: f32) -> f32 { return powerNear(unit, false) * sqrt(total); }
fn finish2(total: f32, about: f32) -> f32 { return select(about, 0, isInfinite(about)) + log(total); }
fn finish3(total: f32, about: f32) -> f32 { return powerNear(about, false) * sqrt(total); }
fn finish4(total: f32, about: f32) -> f32 { return powerNear(unit, false) * (powerNear(unit, false) * total); }

// a and b: what the operation gives the backward pass of each output.
fn slope0(x: f32, a: f32, b: f32) -> f32 { return 1; }
// One of b that are the extreme a; nobody knows which where that is NaN.
fn slope1(x: f32, a: f32, b: f32) -> f32 { return select(select(0.0, 1 / b, x == a), a, isNan(a)); }
// Of a product: a of what is not 0, and b zeros.
fn slope2(x: f32, a: f32, b: f32) -> f32 { return select(select(0.0, a / x, b == 0), select(0.0, a, b == 1), x == 0); }
fn slope3(x: f32, a: f32, b: f32) -> f32 { return x - a; }
fn slope4(x: f32, a: f32, b: f32) -> f32 { return select((x - a) / b, 0, b == 0); }
fn slope5(x: f32, a: f32, b: f32) -> f32 { return exp(x - a); }
fn slope6(x: f32, a: f32, b: f32) -> f32 { return select(x / a, 0, a == 0); }

//#kernel reduceAxes
//#param TERM: u32
//#param COMBINE: u32
//#param FINISH: u32
//#param ABOUT: bool
//#param SIZED: bool
//#param KEPT: u32
//#param REDUCED: u32
//#if TERM == 9
alias Operand = u32;
//#else
alias Operand = f32;
//#end
//#if TERM >= 8
alias Result = u32;
fn startOf(start: f32) -> Result { return 0xffffffffu; }
fn finished(total: Result, about: f32) -> Result { return total; }
//#else
alias Result = f32;
fn startOf(start: f32) -> Result { return start; }
fn finished(total: Result, about: f32) -> Result { return finish${FINISH}(sizes.scale * total, about); }
//#end
struct Sizes {
  outputs: u32,
  terms: u32,
  chunk: u32,
  chunks: u32,
  lanes: u32,
  laneStep: u32,
  columnStep: u32,
  start: f32,
  scale: f32,
  //#for K in 0..KEPT: kept${K}: u32, keptStep${K}: u32,
  //#for K in 0..REDUCED: reduced${K}: u32, reducedStep${K}: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Operand>;
@group(0) @binding(1) var<storage, read_write> sums: array<Result>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
//#if ABOUT
@group(0) @binding(3) var<storage, read> about: array<f32>;
//#end
//#if SIZED
@group(0) @binding(4) var<storage, read> size: array<f32>;
//#end
var<workgroup> slots: array<Result, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = group.x + group.y * groups.x;
  let columns = WORKGROUP / sizes.lanes;
  let lane = local / sizes.laneStep % sizes.lanes;
  let output = at / sizes.chunks * columns + local / sizes.columnStep % columns;
  let inside = output < sizes.outputs;
  let first = at % sizes.chunks * sizes.chunk;
  let end = select(0u, min(first + sizes.chunk, sizes.terms), inside);
  var aboutIt = 0.0;
  //#if ABOUT
  aboutIt = about[min(output, sizes.outputs - 1)];
  //#end
  //#if SIZED
  unit = size[min(output, sizes.outputs - 1)];
  //#end
  var base = 0u;
  var rest = output;
  //#for J in 1..KEPT
  base += rest % sizes.kept${KEPT - J} * sizes.keptStep${KEPT - J};
  rest /= sizes.kept${KEPT - J};
  //#end for J
  base += rest * sizes.keptStep0;

  var total = startOf(sizes.start);
  for (var t = first + lane; t < end; t += sizes.lanes) {
    var place = base;
    var left = t;
    //#for J in 1..REDUCED
    place += left % sizes.reduced${REDUCED - J} * sizes.reducedStep${REDUCED - J};
    left /= sizes.reduced${REDUCED - J};
    //#end for J
    total = combine${COMBINE}(total, term${TERM}(x[place + left * sizes.reducedStep0], aboutIt, t));
  }
  slots[local] = total;
  for (var span = sizes.lanes / 2u; span > 0u; span /= 2u) {
    workgroupBarrier();
    if (lane < span) { slots[local] = combine${COMBINE}(slots[local], slots[local + span * sizes.laneStep]); }
  }
  if (lane == 0u && inside) { sums[at % sizes.chunks * sizes.outputs + output] = finished(slots[local], aboutIt); }
}

//#kernel reduceAxesBackward
//#param SLOPE: u32
//#param RANK: u32
//#param ACCUMULATE: bool
struct Sizes {
  count: u32,
  scale: f32,
  //#for K in 0..RANK: size${K}: u32, step${K}: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
//#if SLOPE > 0
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read> a: array<f32>;
//#end
//#if SLOPE == 1 || SLOPE == 2 || SLOPE == 4
@group(0) @binding(5) var<storage, read> b: array<f32>;
//#end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  var output = 0u;
  var rest = i;
  //#for J in 1..RANK
  output += rest % sizes.size${RANK - J} * sizes.step${RANK - J};
  rest /= sizes.size${RANK - J};
  //#end for J
  output += rest * sizes.step0;
  var slope = 1.0;
  //#if SLOPE == 1 || SLOPE == 2 || SLOPE == 4
  slope = slope${SLOPE}(x[i], a[output], b[output]);
  //#else
  //#if SLOPE > 0
  slope = slope${SLOPE}(x[i], a[output], 0);
  //#end
  //#end
  let value = sizes.scale * dy[output] * slope;
  //#if ACCUMULATE
  dx[i] += value;
  //#else
  dx[i] = value;
  //#end
}
