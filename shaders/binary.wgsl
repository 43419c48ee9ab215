// binary: y = f(a, b) element by element, a and b stretched to the shape of y where an extent of theirs is 1 (broadcasting, as
// NumPy has it), and the gradients of both. FUNCTION says which f; the numbers are those of src/ops/binary.ts.
//
//   0 sub      a − b                  4 maximum  the larger; where both are equal, each takes half of the gradient
//   1 mul      a·b                    5 minimum  the smaller, likewise
//   2 div      a/b                    6 add      a + b
//   3 pow      aᵇ, a > 0; ∂b = y·ln a
//
// Shapes   y in RANK axes, neighbours that are stretched alike taken as one: extents size0 …, and by how much an index of a and
//          of b moves along each: a0 …, b0 …; 0 where it is stretched.
//          binaryBackward: own is the operand whose gradient is made, other the other one. KEPT axes are those of own that it
//          has, REDUCED those along which it was stretched: extents, and steps of y (and dy) and of other along each.
//          sums: [own elements, chunks]: each the sum of a chunk of at most `chunk` terms.
// Mapping  one invocation an element of y; in binaryBackward, an element of sums. Workgroups in rows of x, then y.
//          A chunk is summed one after the other; chunks are summed by reduce.wgsl. So the order of sums follows from the shapes.

fn value0(a: f32, b: f32) -> f32 { return a - b; }
fn value1(a: f32, b: f32) -> f32 { return a * b; }
fn value2(a: f32, b: f32) -> f32 { return a / b; }
fn value3(a: f32, b: f32) -> f32 { return pow(a, b); }
fn value4(a: f32, b: f32) -> f32 { return max(a, b); }
fn value5(a: f32, b: f32) -> f32 { return min(a, b); }
fn value6(a: f32, b: f32) -> f32 { return a + b; }

// ∂f/∂a, then ∂f/∂b.
fn slopeA0(a: f32, b: f32) -> f32 { return 1; }
fn slopeA1(a: f32, b: f32) -> f32 { return b; }
fn slopeA2(a: f32, b: f32) -> f32 { return 1 / b; }
fn slopeA3(a: f32, b: f32) -> f32 { return b * pow(a, b - 1); }
fn slopeA4(a: f32, b: f32) -> f32 { return select(select(0.0, 0.5, a == b), 1, a > b); }
fn slopeA5(a: f32, b: f32) -> f32 { return slopeA4(b, a); }
fn slopeA6(a: f32, b: f32) -> f32 { return 1; }

fn slopeB0(a: f32, b: f32) -> f32 { return -1; }
fn slopeB1(a: f32, b: f32) -> f32 { return a; }
fn slopeB2(a: f32, b: f32) -> f32 { return -a / (b * b); }
fn slopeB3(a: f32, b: f32) -> f32 { return pow(a, b) * log(a); }
fn slopeB4(a: f32, b: f32) -> f32 { return slopeA4(b, a); }
fn slopeB5(a: f32, b: f32) -> f32 { return slopeA4(a, b); }
fn slopeB6(a: f32, b: f32) -> f32 { return 1; }

//#kernel binaryForward
//#param FUNCTION: u32
//#param RANK: u32
struct Sizes {
  count: u32,
  //#for K in 0..RANK: size${K}: u32, a${K}: u32, b${K}: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  var rest = i;
  var atA = 0u;
  var atB = 0u;
  //#for J in 0..RANK
  {
    let place = rest % sizes.size${RANK - 1 - J};
    rest /= sizes.size${RANK - 1 - J};
    atA += place * sizes.a${RANK - 1 - J};
    atB += place * sizes.b${RANK - 1 - J};
  }
  //#end for J
  y[i] = value${FUNCTION}(a[atA], b[atB]);
}

//#kernel binaryBackward
//#param FUNCTION: u32
//#param SECOND: bool
//#param KEPT: u32
//#param REDUCED: u32
//#param ACCUMULATE: bool
struct Sizes {
  count: u32,
  chunks: u32,
  chunk: u32,
  terms: u32,
  //#for K in 0..KEPT: kept${K}: u32, keptY${K}: u32, keptOther${K}: u32,
  //#for K in 0..REDUCED: reduced${K}: u32, reducedY${K}: u32, reducedOther${K}: u32,
}

@group(0) @binding(0) var<storage, read> own: array<f32>;
@group(0) @binding(1) var<storage, read> other: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  let element = i / sizes.chunks;
  let first = i % sizes.chunks * sizes.chunk;
  var rest = element;
  var baseY = 0u;
  var baseOther = 0u;
  //#for J in 0..KEPT
  {
    let place = rest % sizes.kept${KEPT - 1 - J};
    rest /= sizes.kept${KEPT - 1 - J};
    baseY += place * sizes.keptY${KEPT - 1 - J};
    baseOther += place * sizes.keptOther${KEPT - 1 - J};
  }
  //#end for J
  let mine = own[element];
  var sum = 0.0;
  for (var term = first; term < min(first + sizes.chunk, sizes.terms); term++) {
    var atY = baseY;
    var atOther = baseOther;
    //#if REDUCED > 0
    var left = term;
    //#end
    //#for J in 0..REDUCED
    {
      let place = left % sizes.reduced${REDUCED - 1 - J};
      left /= sizes.reduced${REDUCED - 1 - J};
      atY += place * sizes.reducedY${REDUCED - 1 - J};
      atOther += place * sizes.reducedOther${REDUCED - 1 - J};
    }
    //#end for J
    //#if SECOND
    sum += dy[atY] * slopeB${FUNCTION}(other[atOther], mine);
    //#else
    sum += dy[atY] * slopeA${FUNCTION}(mine, other[atOther]);
    //#end
  }
  //#if ACCUMULATE
  sums[i] += sum;
  //#else
  sums[i] = sum;
  //#end
}
