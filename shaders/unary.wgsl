// unary: y = f(x) of each element, dx = f'(x)·dy, for functions of one number. FUNCTION says which; the numbers are those of
// src/ops/unary.ts. p and q are what a function is given beside x. Slopes where there are two, or none, are PyTorch's.
//
//   0 neg      −x                   11 sigmoid  1/(1 + e⁻ˣ)             21 sign        slope 0
//   1 abs      |x|, slope 0 at 0    12 geluTanh x·sigmoid(√(8/π)·(x + 0.044715·x³))
//   2 square   x²                   13 silu     x·sigmoid(x)            22 floor       slope 0, as of 23 to 25
//   3 sqrt                          14 softplus ln(1 + eˣ)              23 ceil
//   4 rsqrt    1/√x                 15 erf      2/√π·∫₀ˣ e^(−t²) dt     24 round       a half goes to the even neighbour
//   5 reciprocal 1/x                16 expm1    eˣ − 1                  25 trunc
//   6 exp                           17 log1p    ln(1 + x)               26 mish        x·tanh(ln(1 + eˣ))
//   7 log                           18 exp2     2ˣ                      27 logSigmoid  −ln(1 + e⁻ˣ)
//   8 sin                           19 log2                             28 leakyRelu   x > 0: x; else p·x
//   9 cos                           20 tan                              29 elu         x > 0: x; else p·(eˣ − 1)
//  10 tanh                                                              30 clamp       min(max(x, p), q), slope 1 at both ends
//
// What WGSL leaves inexact or lets overflow is written out: tanh, sigmoid, silu, softplus, mish and logSigmoid go by
// e^(−|x|) ≤ 1; near 0, where tanh and expm1 would cancel, series stand in their place; erf is that of gelu.wgsl,
// log that of logarithm.wgsl. WGSL's sin and cos are exact to 2⁻¹¹ only: here x is brought to r in [−π/4, π/4] by a multiple of π/2, in three parts so that the first two products are exact (Cody and Waite
// 1980); the polynomials are those of Cephes' logf, sinf and cosf (Moshier 1992). Sine, cosine and tangent are exact to f32 for
// |x| ≤ 8192; beyond, the multiple is no longer exact. WGSL's functions may drop a NaN: it is told by its bits,
// and stays.
//
// Elementwise on arrays of any shape. One invocation a cell: four elements (VEC, where their number is a multiple of four)
// or one.

//#use logarithm
//#use gelu

//#if VEC
alias Cell = vec4f;
fn toCell(value: vec4f) -> Cell { return value; }
//#else
alias Cell = f32;
fn toCell(value: vec4f) -> Cell { return value.x; }
//#end
struct Sizes {
  cells: u32,
  p: f32,
  q: f32,
}

/// 0 of NaN, as PyTorch has it.
fn signOf(x: vec4f) -> vec4f {
  return select(vec4f(), vec4f(1), x > vec4f()) - select(vec4f(), vec4f(1), x < vec4f());
}

fn sigmoid(x: vec4f) -> vec4f {
  let e = exp(-abs(x));
  return select(e, vec4f(1), x >= vec4f()) / (1 + e);
}

fn logOnePlus(x: vec4f) -> vec4f {
  return select(logOf(1 + x), logNear(x), (x > vec4f(-0.29)) & (x < vec4f(0.41)));
}

fn expMinusOne(x: vec4f) -> vec4f {
  let tail = 1.0 / 120 + x * (1.0 / 720 + x * (1.0 / 5040 + x * (1.0 / 40320 + x / 362880)));
  let series = x + x * x * (0.5 + x * (1.0 / 6 + x * (1.0 / 24 + x * tail)));
  return select(exp(x) - 1, series, abs(x) < vec4f(0.8));
}

fn tanhOf(x: vec4f) -> vec4f {
  let u = x * x;
  let series = x * (1 - u * (1.0 / 3 - u * (2.0 / 15 - u * (17.0 / 315 - u * (62.0 / 2835)))));
  let e = exp(-2 * abs(x));
  return select(sign(x) * (1 - e) / (1 + e), series, abs(x) < vec4f(0.3));
}

fn erfOf(x: vec4f) -> vec4f {
  let a = 1.4142135 * abs(x);
  let u = x * x;
  // 1 − 2·T cancels near 0.
  let series = 1.1283792 * x * (1 - u * (1.0 / 3 - u * (0.1 - u * (1.0 / 42 - u * (1.0 / 216 - u / 1320)))));
  return select(sign(x) * (1 - 2 * normalTail(a, exp(-u))), series, abs(x) < vec4f(0.5));
}

struct Tanh {
  value: vec4f,
  rest: vec4f, // 1 − value
}

/// tanh(ln(1 + eˣ)) = n/(n + 2), n = eˣ·(eˣ + 2); for x ≥ 0 both times e^(−2x).
fn tanhOfSoftplus(x: vec4f) -> Tanh {
  let e = exp(-abs(x));
  let n = select(e * (e + 2), 1 + 2 * e, x >= vec4f());
  let two = select(vec4f(2), 2 * e * e, x >= vec4f());
  return Tanh(n / (n + two), two / (n + two));
}

/// sin(x + quarters·π/2)
fn sine(x: vec4f, quarters: i32) -> vec4f {
  let n = round(x * 0.63661975);
  // fma keeps a compiler from taking the three parts as one.
  let r = fma(-n, vec4f(7.5497894e-8), fma(-n, vec4f(4.8375130e-4), fma(-n, vec4f(1.5703125), x)));
  let u = r * r;
  let odd = r + r * u * (-0.16666655 + u * (8.3321609e-3 - u * 1.9515296e-4));
  let even = 1 - 0.5 * u + u * u * (0.041666646 + u * (-1.3887316e-3 + u * 2.4433157e-5));
  let quarter = vec4i(n) + quarters;
  let size = select(odd, even, (quarter & vec4i(1)) == vec4i(1));
  return select(size, -size, (quarter & vec4i(2)) == vec4i(2));
}

fn value0(x: vec4f) -> vec4f { return -x; }
fn value1(x: vec4f) -> vec4f { return abs(x); }
fn value2(x: vec4f) -> vec4f { return x * x; }
fn value3(x: vec4f) -> vec4f { return sqrt(x); }
fn value4(x: vec4f) -> vec4f { return inverseSqrt(x); }
fn value5(x: vec4f) -> vec4f { return 1 / x; }
fn value6(x: vec4f) -> vec4f { return exp(x); }
fn value7(x: vec4f) -> vec4f { return logOf(x); }
fn value8(x: vec4f) -> vec4f { return sine(x, 0); }
fn value9(x: vec4f) -> vec4f { return sine(x, 1); }
fn value10(x: vec4f) -> vec4f { return tanhOf(x); }
fn value11(x: vec4f) -> vec4f { return sigmoid(x); }
fn value12(x: vec4f) -> vec4f { return x * sigmoid(1.5957691 * (x + 0.044715 * x * x * x)); }
fn value13(x: vec4f) -> vec4f { return x * sigmoid(x); }
fn value14(x: vec4f) -> vec4f { return max(x, vec4f()) + logOnePlus(exp(-abs(x))); }
fn value15(x: vec4f) -> vec4f { return erfOf(x); }
fn value16(x: vec4f) -> vec4f { return expMinusOne(x); }
fn value17(x: vec4f) -> vec4f { return logOnePlus(x); }
fn value18(x: vec4f) -> vec4f { return exp2(x); }
fn value19(x: vec4f) -> vec4f { return logIn(x, 1, 0, 1.442695); }
fn value20(x: vec4f) -> vec4f { return sine(x, 0) / sine(x, 1); }
fn value22(x: vec4f) -> vec4f { return floor(x); }
fn value23(x: vec4f) -> vec4f { return ceil(x); }
fn value24(x: vec4f) -> vec4f { return round(x); }
fn value25(x: vec4f) -> vec4f { return trunc(x); }
fn value26(x: vec4f) -> vec4f { return x * tanhOfSoftplus(x).value; }
fn value27(x: vec4f) -> vec4f { return min(x, vec4f()) - logOnePlus(exp(-abs(x))); }
fn value28(x: vec4f) -> vec4f { return select(sizes.p * x, x, x > vec4f()); }
fn value29(x: vec4f) -> vec4f { return select(sizes.p * expMinusOne(x), x, x > vec4f()); }
fn value30(x: vec4f) -> vec4f { return min(max(x, vec4f(sizes.p)), vec4f(sizes.q)); }

fn slope0(x: vec4f) -> vec4f { return vec4f(-1); }
fn slope1(x: vec4f) -> vec4f { return signOf(x); }
fn slope2(x: vec4f) -> vec4f { return 2 * x; }
fn slope3(x: vec4f) -> vec4f { return 0.5 / sqrt(x); }
fn slope4(x: vec4f) -> vec4f { return -0.5 * inverseSqrt(x) / abs(x); }
fn slope5(x: vec4f) -> vec4f { return -1 / (x * x); }
fn slope6(x: vec4f) -> vec4f { return exp(x); }
fn slope7(x: vec4f) -> vec4f { return 1 / x; }
fn slope8(x: vec4f) -> vec4f { return sine(x, 1); }
fn slope9(x: vec4f) -> vec4f { return sine(x, 2); }
fn slope10(x: vec4f) -> vec4f {
  let e = exp(-2 * abs(x)); // 1 − tanh² = 4e/(1 + e)²
  return 4 * e / ((1 + e) * (1 + e));
}
fn slope11(x: vec4f) -> vec4f {
  let e = exp(-abs(x));
  return e / ((1 + e) * (1 + e));
}
fn slope12(x: vec4f) -> vec4f {
  let u = 1.5957691 * (x + 0.044715 * x * x * x);
  return sigmoid(u) + x * slope11(u) * (1.5957691 + 0.21406445 * x * x);
}
fn slope13(x: vec4f) -> vec4f { return sigmoid(x) + x * slope11(x); }
fn slope14(x: vec4f) -> vec4f { return sigmoid(x); }
fn slope15(x: vec4f) -> vec4f { return 1.1283792 * exp(-x * x); }
fn slope16(x: vec4f) -> vec4f { return exp(x); }
fn slope17(x: vec4f) -> vec4f { return 1 / (1 + x); }
fn slope18(x: vec4f) -> vec4f { return 0.6931472 * exp2(x); }
fn slope19(x: vec4f) -> vec4f { return 1.442695 / x; }
fn slope20(x: vec4f) -> vec4f {
  let tangent = value20(x);
  return 1 + tangent * tangent;
}
//#for K in 21..26: fn slope${K}(x: vec4f) -> vec4f { return vec4f(); }
fn slope26(x: vec4f) -> vec4f {
  let t = tanhOfSoftplus(x);
  return t.value + x * sigmoid(x) * t.rest * (1 + t.value);
}
fn slope27(x: vec4f) -> vec4f { return sigmoid(-x); }
fn slope28(x: vec4f) -> vec4f { return select(vec4f(sizes.p), vec4f(1), x > vec4f()); }
fn slope29(x: vec4f) -> vec4f { return select(sizes.p * exp(x), vec4f(1), x > vec4f()); }
fn slope30(x: vec4f) -> vec4f { return select(vec4f(), vec4f(1), (x >= vec4f(sizes.p)) & (x <= vec4f(sizes.q))); }

//#kernel unaryForward
//#param FUNCTION: u32
//#param VEC: bool
@group(0) @binding(0) var<storage, read> x: array<Cell>;
@group(0) @binding(1) var<storage, read_write> y: array<Cell>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < sizes.cells) {
    let at = vec4f(x[i]);
    //#if FUNCTION == 21
    y[i] = toCell(signOf(at));
    //#else
    y[i] = toCell(select(value${FUNCTION}(at), at, isNan(at)));
    //#end
  }
}

//#kernel unaryBackward
//#param FUNCTION: u32
//#param ACCUMULATE: bool
//#param VEC: bool
@group(0) @binding(0) var<storage, read> x: array<Cell>;
@group(0) @binding(1) var<storage, read> dy: array<Cell>;
@group(0) @binding(2) var<storage, read_write> dx: array<Cell>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < sizes.cells) {
    let gradient = dy[i] * toCell(slope${FUNCTION}(vec4f(x[i])));
    //#if ACCUMULATE
    dx[i] += gradient;
    //#else
    dx[i] = gradient;
    //#end
  }
}
