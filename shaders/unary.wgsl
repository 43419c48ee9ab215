// unary: y = f(x) of each element, dx = f'(x)·dy, for functions of one number. FUNCTION says which; the numbers are those of
// src/ops/unary.ts.
//
//   0 neg      −x                   5 reciprocal 1/x              10 tanh
//   1 abs      |x|, slope 0 at 0    6 exp                         11 sigmoid  1/(1 + e⁻ˣ)
//   2 square   x²                   7 log                         12 relu     max(x, 0), slope 0 at 0
//   3 sqrt                          8 sin                         13 silu     x·sigmoid(x)
//   4 rsqrt    1/√x                 9 cos                         14 softplus ln(1 + eˣ)
//                                                                 15 erf      2/√π·∫₀ˣ e^(−t²) dt
//
// What WGSL leaves inexact or lets overflow is written out: tanh, sigmoid, silu and softplus go by e^(−|x|) ≤ 1; near 0, where
// tanh would cancel, and where e is small in ln(1 + e), series stand in their place; erf is that of gelu.wgsl. WGSL's sin
// and cos are exact to 2⁻¹¹ only: here x is brought to r in [−π/4, π/4] by a multiple of π/2, in three parts so that the first
// two products are exact (Cody and Waite 1980), and the polynomials are those of Cephes' sinf and cosf (Moshier 1992). Exact to
// f32 for |x| ≤ 8192; beyond, the multiple is no longer exact.
//
// Elementwise on arrays of any shape. One invocation a cell: four elements (VEC, where their number is a multiple of four)
// or one.

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
}

fn sigmoid(x: vec4f) -> vec4f {
  let e = exp(-abs(x));
  return select(e, vec4f(1), x >= vec4f()) / (1 + e);
}

/// ln(1 + e) for 0 ≤ e ≤ 1.
fn logOnePlus(e: vec4f) -> vec4f {
  let series = e * (1 - e * (0.5 - e * (1.0 / 3 - e * (0.25 - e * (0.2 - e / 6)))));
  return select(log(1 + e), series, e < vec4f(0.05));
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
fn value7(x: vec4f) -> vec4f { return log(x); }
fn value8(x: vec4f) -> vec4f { return sine(x, 0); }
fn value9(x: vec4f) -> vec4f { return sine(x, 1); }
fn value10(x: vec4f) -> vec4f { return tanhOf(x); }
fn value11(x: vec4f) -> vec4f { return sigmoid(x); }
fn value12(x: vec4f) -> vec4f { return max(x, vec4f()); }
fn value13(x: vec4f) -> vec4f { return x * sigmoid(x); }
fn value14(x: vec4f) -> vec4f { return max(x, vec4f()) + logOnePlus(exp(-abs(x))); }
fn value15(x: vec4f) -> vec4f { return erfOf(x); }

fn slope0(x: vec4f) -> vec4f { return vec4f(-1); }
fn slope1(x: vec4f) -> vec4f { return sign(x); }
fn slope2(x: vec4f) -> vec4f { return 2 * x; }
fn slope3(x: vec4f) -> vec4f { return 0.5 / sqrt(x); }
fn slope4(x: vec4f) -> vec4f { return -0.5 * inverseSqrt(x) / x; }
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
fn slope12(x: vec4f) -> vec4f { return select(vec4f(), vec4f(1), x > vec4f()); }
fn slope13(x: vec4f) -> vec4f { return sigmoid(x) + x * slope11(x); }
fn slope14(x: vec4f) -> vec4f { return sigmoid(x); }
fn slope15(x: vec4f) -> vec4f { return 1.1283792 * exp(-x * x); }

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
    y[i] = toCell(value${FUNCTION}(vec4f(x[i])));
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
