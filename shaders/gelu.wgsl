// GELU, exact: y = x·Φ(x), dy/dx = Φ(x) + x·φ(x), with Φ the normal distribution function, Φ(x) = ½(1 + erf(x/√2)), and
// φ(x) = exp(−x²/2)/√(2π) its density. (Hendrycks and Gimpel 2016.)
//
// WGSL has no erf. Near 0, Φ(x) = ½ + x·P(x²), so that gelu keeps its relative accuracy for small x; further out, the tail
// 1 − Φ(|x|) = exp(−x²/2)·Q(s), s = 1/(1 + 0.4·|x|), after the form of Hastings. P and Q are our own minimax fits in
// float64: relative errors 1e-8 on |x| ≤ 1.25 and 6e-8 on 1.25 ≤ |x| ≤ 14, beyond which the tail is 0 in f32.
//
// Elementwise on arrays of any shape. One invocation an element.

/// Φ(x), given bell = exp(−x²/2).
fn normalCdf(x: vec4f, bell: vec4f) -> vec4f {
  let u = x * x;
  let centre = 0.5 + x * (0.39894226 + u * (-0.06649021 + u * (0.009972283 + u * (-0.0011838375 +
    u * (0.00011104135 + u * -6.80954e-6)))));
  let s = 1.0 / (1.0 + 0.4 * abs(x));
  let tail = bell * s * (0.15959795 + s * (0.15906076 + s * (0.13928223 + s * (0.0545278 + s * (0.1073302 +
    s * (-0.18838057 + s * 0.068898425))))));
  return select(select(1.0 - tail, tail, x < vec4f()), centre, u < vec4f(1.5625));
}

fn gelu(x: vec4f) -> vec4f {
  return x * normalCdf(x, exp(-0.5 * x * x));
}

fn geluGradient(x: vec4f) -> vec4f {
  let bell = exp(-0.5 * x * x);
  return normalCdf(x, bell) + 0.3989423 * x * bell;
}

//#kernel geluForward
struct Size {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> size: Size;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < size.count) {
    y[i] = gelu(vec4f(x[i])).x;
  }
}

//#kernel geluBackward
struct Size {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> size: Size;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < size.count) {
    dx[i] = dy[i] * geluGradient(vec4f(x[i])).x;
  }
}
