// binary: y = f(a, b) element by element, a and b stretched to the shape of y where an extent of theirs is 1 (broadcasting, as
// NumPy has it), and the gradients of both. FUNCTION says which f; the numbers are those of src/ops/binary.ts.
//
//   0 sub      a − b                  4 maximum  the larger; where both are equal, each takes half of the gradient
//   1 mul      a·b                    5 minimum  the smaller, likewise
//   2 div      a/b                    6 add      a + b
//   3 pow      aᵇ; ∂b = y·ln a        7 to 14    eq, ne, lt, le, gt, ge, logicalAnd, logicalOr: u32, 1 where it holds, else 0
//
// binaryBackward also takes the gradients of where (src/ops/where.ts): 15 of what is taken where the condition (other, u32) is
// not 0, 16 of the other. Slopes where there are two are PyTorch's. NaN is told by its bits: WGSL's max and min may drop it.
//
// pow goes by 2^(b·log₂|a|). |a| = 2ᵉ·m with m in [√½, √2), and n = round(b·log₂|a|): 2ⁿ is exact, and what is left, b·e − n
// + b·log₂ m, is small, so that little of it is lost. What is 0, negative or infinite is as C's pow has it (IEEE 754), and so
// PyTorch. ln m is that of logarithm.wgsl.
//
// Types    f32, i32 or u32 (TYPE 0, 1, 2), of a and b alike; gradients f32.
// Shapes   y in RANK axes, neighbours that are stretched alike taken as one: extents size0 …, and by how much an index of a and
//          of b moves along each: a0 …, b0 …; 0 where it is stretched.
//          binaryBackward: own is the operand whose gradient is made, other the other one. KEPT axes are those of own that it
//          has, REDUCED those along which it was stretched: extents, and steps of y (and dy) and of other along each.
//          VEC: four neighbours along the last axis are a cell, and counts, extents and steps are in cells. What is stretched
//          along it is not wide: its steps are in elements, and one stands for four.
// Mapping  one invocation a cell of y; in binaryBackward, one a cell of own and chunk of its terms, in chunks apart, so that
//          neighbours in a workgroup read neighbours: ROWS, where own is stretched along the last axis, the chunks of a cell
//          are neighbours, else the cells of a chunk. sums: [own, chunks] with ROWS, else [chunks, own]. The same kernel then
//          adds chunks up (as the gradient of add). Workgroups in rows of x, then y. The order of sums follows from the shapes.

//#use logarithm

fn twoTo(n: vec4i) -> vec4f { return bitcast<vec4f>((n + 127) << vec4u(23)); }

fn power(a: vec4f, b: vec4f) -> vec4f {
  let size = abs(a);
  let exponent = exponentOf(size);
  let e = vec4f(exponent);
  let rest = 1.442695 * logRest(size, exponent);
  let end = select(vec4f(-1e9), vec4f(1e9), (size > vec4f(1)) == (b > vec4f())); // of 0 and ∞
  let t = select(select(end, b * (e + rest), isOrdinary(size)), vec4f(), size == vec4f(1));
  let n = round(clamp(t, vec4f(-252), vec4f(252)));
  let left = select(fma(b, e, -n) + b * rest, vec4f(), (abs(t) > vec4f(200)) | (size == vec4f(1)));
  let half = vec4i(n) >> vec4u(1);
  var y = exp2(left) * twoTo(half) * twoTo(vec4i(n) - half);
  y = select(y, size * size, b == vec4f(2));
  let isWhole = floor(b) == b;
  let isOdd = isWhole & (floor(0.5 * b) != 0.5 * b);
  y = select(y, -y, isOdd & (bitcast<vec4i>(a) < vec4i()));
  y = select(y, nanOf(a), (a < vec4f()) & isOrdinary(size) & !isWhole);
  y = select(y, nanOf(a), isNan(a) | isNan(b));
  return select(y, vec4f(1), (b == vec4f()) | (a == vec4f(1)));
}

//#kernel binaryForward
//#param FUNCTION: u32
//#param TYPE: u32
//#param RANK: u32
//#param VEC: bool
//#param WIDE_A: bool
//#param WIDE_B: bool
//#if TYPE == 0
alias T = f32;
//#end
//#if TYPE == 1
alias T = i32;
//#end
//#if TYPE == 2
alias T = u32;
//#end
alias V = vec4<T>;

//#if FUNCTION >= 7
alias R = u32;
fn truth(holds: vec4<bool>) -> vec4u { return select(vec4u(), vec4u(1), holds); }
fn value7(a: V, b: V) -> vec4u { return truth(a == b); }
//#if TYPE == 0
fn value8(a: V, b: V) -> vec4u { return truth((a != b) | isNan(a) | isNan(b)); }
//#else
fn value8(a: V, b: V) -> vec4u { return truth(a != b); }
//#end
fn value9(a: V, b: V) -> vec4u { return truth(a < b); }
fn value10(a: V, b: V) -> vec4u { return truth(a <= b); }
fn value11(a: V, b: V) -> vec4u { return truth(a > b); }
fn value12(a: V, b: V) -> vec4u { return truth(a >= b); }
fn value13(a: V, b: V) -> vec4u { return truth((a != V()) & (b != V())); }
fn value14(a: V, b: V) -> vec4u { return truth((a != V()) | (b != V())); }
//#else
alias R = T;
fn value0(a: V, b: V) -> V { return a - b; }
fn value1(a: V, b: V) -> V { return a * b; }
//#if TYPE == 0
fn orNan(y: V, a: V, b: V) -> V { return select(select(y, b, isNan(b)), a, isNan(a)); }
fn value2(a: V, b: V) -> V { return a / b; }
fn value3(a: V, b: V) -> V { return power(a, b); }
fn value4(a: V, b: V) -> V { return orNan(max(a, b), a, b); }
fn value5(a: V, b: V) -> V { return orNan(min(a, b), a, b); }
//#else
fn value4(a: V, b: V) -> V { return max(a, b); }
fn value5(a: V, b: V) -> V { return min(a, b); }
//#end if TYPE == 0
fn value6(a: V, b: V) -> V { return a + b; }
//#end if FUNCTION >= 7

//#if WIDE_A
alias CellA = vec4<T>;
//#else
alias CellA = T;
//#end
//#if WIDE_B
alias CellB = vec4<T>;
//#else
alias CellB = T;
//#end
//#if VEC
alias CellY = vec4<R>;
fn toCell(value: vec4<R>) -> CellY { return value; }
//#else
alias CellY = R;
fn toCell(value: vec4<R>) -> CellY { return value.x; }
//#end
struct Sizes {
  count: u32,
  //#for K in 0..RANK: size${K}: u32, a${K}: u32, b${K}: u32,
}

@group(0) @binding(0) var<storage, read> a: array<CellA>;
@group(0) @binding(1) var<storage, read> b: array<CellB>;
@group(0) @binding(2) var<storage, read_write> y: array<CellY>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  var rest = i;
  var atA = 0u;
  var atB = 0u;
  //#for J in 1..RANK
  {
    let place = rest % sizes.size${RANK - J};
    rest /= sizes.size${RANK - J};
    atA += place * sizes.a${RANK - J};
    atB += place * sizes.b${RANK - J};
  }
  //#end for J
  //#if RANK > 0
  atA += rest * sizes.a0;
  atB += rest * sizes.b0;
  //#end
  y[i] = toCell(value${FUNCTION}(V(a[atA]), V(b[atB])));
}

//#kernel binaryBackward
//#param FUNCTION: u32
//#param SECOND: bool
//#param KEPT: u32
//#param REDUCED: u32
//#param ROWS: bool
//#param VEC: bool
//#param WIDE: bool
//#param ACCUMULATE: bool
//#if FUNCTION >= 15
alias Other = u32;
fn slopeA15(mine: vec4f, condition: vec4u) -> vec4f { return select(vec4f(), vec4f(1), condition != vec4u()); }
fn slopeA16(mine: vec4f, condition: vec4u) -> vec4f { return select(vec4f(1), vec4f(), condition != vec4u()); }
//#else
alias Other = f32;
// ∂f/∂a, then ∂f/∂b.
fn slopeA0(a: vec4f, b: vec4f) -> vec4f { return vec4f(1); }
fn slopeA1(a: vec4f, b: vec4f) -> vec4f { return b; }
fn slopeA2(a: vec4f, b: vec4f) -> vec4f { return 1 / b; }
fn slopeA3(a: vec4f, b: vec4f) -> vec4f { return select(b * power(a, b - 1), vec4f(), b == vec4f()); }
fn slopeA4(a: vec4f, b: vec4f) -> vec4f { return select(select(vec4f(1), vec4f(0.5), a == b), vec4f(), a < b); }
fn slopeA5(a: vec4f, b: vec4f) -> vec4f { return slopeA4(b, a); }
fn slopeA6(a: vec4f, b: vec4f) -> vec4f { return vec4f(1); }

fn slopeB0(a: vec4f, b: vec4f) -> vec4f { return vec4f(-1); }
fn slopeB1(a: vec4f, b: vec4f) -> vec4f { return a; }
fn slopeB2(a: vec4f, b: vec4f) -> vec4f { return -a / b / b; }
fn slopeB3(a: vec4f, b: vec4f) -> vec4f {
  return select(power(a, b) * logOf(a), vec4f(), (a == vec4f()) & (b >= vec4f()));
}
fn slopeB4(a: vec4f, b: vec4f) -> vec4f { return slopeA4(b, a); }
fn slopeB5(a: vec4f, b: vec4f) -> vec4f { return slopeA4(a, b); }
fn slopeB6(a: vec4f, b: vec4f) -> vec4f { return vec4f(1); }
//#end if FUNCTION >= 15

//#if VEC
alias Cell = vec4f;
fn toCell(value: vec4f) -> Cell { return value; }
//#else
alias Cell = f32;
fn toCell(value: vec4f) -> Cell { return value.x; }
//#end
//#if WIDE
alias CellOther = vec4<Other>;
//#else
alias CellOther = Other;
//#end
struct Sizes {
  cells: u32,
  chunks: u32,
  terms: u32,
  //#for K in 0..KEPT: kept${K}: u32, keptY${K}: u32, keptOther${K}: u32,
  //#for K in 0..REDUCED: reduced${K}: u32, reducedY${K}: u32, reducedOther${K}: u32,
}

@group(0) @binding(0) var<storage, read> own: array<Cell>;
@group(0) @binding(1) var<storage, read> other: array<CellOther>;
@group(0) @binding(2) var<storage, read> dy: array<Cell>;
@group(0) @binding(3) var<storage, read_write> sums: array<Cell>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.cells * sizes.chunks) { return; }
  //#if ROWS
  let cell = i / sizes.chunks;
  let chunk = i % sizes.chunks;
  //#else
  let cell = i % sizes.cells;
  let chunk = i / sizes.cells;
  //#end
  var rest = cell;
  var baseY = 0u;
  var baseOther = 0u;
  //#for J in 1..KEPT
  {
    let place = rest % sizes.kept${KEPT - J};
    rest /= sizes.kept${KEPT - J};
    baseY += place * sizes.keptY${KEPT - J};
    baseOther += place * sizes.keptOther${KEPT - J};
  }
  //#end for J
  //#if KEPT > 0
  baseY += rest * sizes.keptY0;
  baseOther += rest * sizes.keptOther0;
  //#end
  let mine = vec4f(own[cell]);
  var sum = vec4f();
  for (var term = chunk; term < sizes.terms; term += sizes.chunks) {
    var atY = baseY;
    var atOther = baseOther;
    var left = term;
    //#for J in 1..REDUCED
    {
      let place = left % sizes.reduced${REDUCED - J};
      left /= sizes.reduced${REDUCED - J};
      atY += place * sizes.reducedY${REDUCED - J};
      atOther += place * sizes.reducedOther${REDUCED - J};
    }
    //#end for J
    //#if REDUCED > 0
    atY += left * sizes.reducedY0;
    atOther += left * sizes.reducedOther0;
    //#end
    //#if SECOND
    sum += vec4f(dy[atY]) * slopeB${FUNCTION}(vec4<Other>(other[atOther]), mine);
    //#else
    sum += vec4f(dy[atY]) * slopeA${FUNCTION}(mine, vec4<Other>(other[atOther]));
    //#end
  }
  //#if ACCUMULATE
  sums[i] += toCell(sum);
  //#else
  sums[i] = toCell(sum);
  //#end
}
