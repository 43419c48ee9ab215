// relu: y = max(x, 0), dx = dy where x > 0 and 0 elsewhere. NaN stays NaN, and lets dy pass, as PyTorch has it: it is told by
// its bits, since WGSL's functions may drop it.
//
// Elementwise on arrays of any shape. One invocation a cell: four elements (VEC, where their number is a multiple of four)
// or one.

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

/// y where x is above 0 or NaN, else 0.
fn passed(x: vec4f, y: vec4f) -> vec4f {
  let isNan = (bitcast<vec4u>(x) & vec4u(0x7fffffff)) > vec4u(0x7f800000);
  return select(vec4f(), y, (x > vec4f()) | isNan);
}

//#kernel reluForward
//#param VEC: bool
@group(0) @binding(0) var<storage, read> x: array<Cell>;
@group(0) @binding(1) var<storage, read_write> y: array<Cell>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < sizes.cells) {
    y[i] = toCell(passed(vec4f(x[i]), vec4f(x[i])));
  }
}

//#kernel reluBackward
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
    let gradient = toCell(passed(vec4f(x[i]), vec4f(dy[i])));
    //#if ACCUMULATE
    dx[i] += gradient;
    //#else
    dx[i] = gradient;
    //#end
  }
}
