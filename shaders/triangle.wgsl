// triangle: matrices of which the part above or below a diagonal is 0.
//
//   forward    y[b, r, c] = x[b, r, c] where c − r ≤ diagonal (UPPER: ≥), else 0
//   backward   dx (+)= the same of dy
//
// Shapes   x, y: [batch, height, width], of any type of 32 bits, whose bits are moved; with ACCUMULATE, f32.
// Mapping  one invocation an element; workgroups in rows of x, then y.

//#kernel triangle
//#param UPPER: bool
//#param ACCUMULATE: bool
//#if ACCUMULATE
alias Cell = f32;
//#else
alias Cell = u32;
//#end

struct Sizes { count: u32, height: u32, width: u32, diagonal: i32 }
@group(0) @binding(0) var<storage, read> x: array<Cell>;
@group(0) @binding(1) var<storage, read_write> y: array<Cell>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  let right = i32(i % sizes.width) - i32(i / sizes.width % sizes.height);
  //#if UPPER
  let isKept = right >= sizes.diagonal;
  //#else
  let isKept = right <= sizes.diagonal;
  //#end
  //#if ACCUMULATE
  if (isKept) { y[i] += x[i]; }
  //#else
  y[i] = select(0, x[i], isKept);
  //#end
}
