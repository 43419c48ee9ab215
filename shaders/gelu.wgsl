// GELU, exact: y = x·Φ(x), dy/dx = Φ(x) + x·φ(x), with Φ the normal distribution function, Φ(x) = ½(1 + erf(x/√2)), and
// φ(x) = exp(−x²/2)/√(2π) its density. (Hendrycks and Gimpel 2016.)
//
// WGSL has no erf. What is approximated is the tail T(a) = 1 − Φ(a), a ≥ 0: near 0 as ½ − a·P(a²); further out as
// exp(−a²/2)·s·Q(s), s = 1/(1 + 0.4·a), after the form of Hastings. P and Q are our own minimax fits in float64: error 2e-9
// on a ≤ 1.25, and 6e-8 of the tail on 1.25 ≤ a ≤ 14, beyond which it is 0 in f32. With it y = max(x, 0) − |x|·T(|x|),
// which rounds but once where |x| is large, and erf(a/√2) = 1 − 2·T(a).
//
// Elementwise on arrays of any shape. One invocation a cell: four elements (VEC, where their number is a multiple of four)
// or one.

/// 1 − Φ(a) for a ≥ 0, given bell = exp(−a²/2).
fn normalTail(a: vec4f, bell: vec4f) -> vec4f {
  let u = a * a;
  let p = 0.39894226 + u * (-0.06649002 + u * (0.009971596 + u * (-0.0011828346 + u * (0.00011040122 +
    u * -6.660993e-6))));
  let s = 1.0 / (1.0 + 0.4 * a);
  let q = 0.15959795 + s * (0.15906076 + s * (0.13928223 + s * (0.0545278 + s * (0.1073302 +
    s * (-0.18838057 + s * 0.068898425)))));
  return select(bell * s * q, fma(-a, p, vec4f(0.5)), u < vec4f(1.5625));
}

fn gelu(x: vec4f) -> vec4f {
  let a = max(-x, min(x, vec4f(1e30))); // |x|; ∞·0 would be NaN, as −∞·0 is
  return fma(-a, normalTail(a, exp(-0.5 * x * x)), max(x, vec4f()));
}

fn geluGradient(x: vec4f) -> vec4f {
  let bell = exp(-0.5 * x * x);
  let tail = normalTail(abs(x), bell);
  return select(tail, 1.0 - tail, x > vec4f()) + 0.3989423 * x * bell;
}

//#kernel geluForward
//#param VEC: bool
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

@group(0) @binding(0) var<storage, read> x: array<Cell>;
@group(0) @binding(1) var<storage, read_write> y: array<Cell>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < sizes.cells) {
    let at = vec4f(x[i]);
    let isNan = (bitcast<vec4u>(at) & vec4u(0x7fffffff)) > vec4u(0x7f800000); // which exp may drop
    y[i] = toCell(select(gelu(at), at, isNan));
  }
}

//#kernel geluBackward
//#param ACCUMULATE: bool
//#param VEC: bool
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

@group(0) @binding(0) var<storage, read> x: array<Cell>;
@group(0) @binding(1) var<storage, read> dy: array<Cell>;
@group(0) @binding(2) var<storage, read_write> dx: array<Cell>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < sizes.cells) {
    let gradient = dy[i] * toCell(geluGradient(vec4f(x[i])));
    //#if ACCUMULATE
    dx[i] += gradient;
    //#else
    dx[i] = gradient;
    //#end
  }
}
