// gather: elements chosen by indices along one axis, and indices as rows of ones and zeros.
//
//   gather   y[o, n, i] (+)= x[o, index, i]   with index = indices[n] where SHARED (rows of a table), else indices[o, n, i]
//   oneHot   y[n, k] = 1 where k = indices[n], else 0
//
// An index that is not below `extent` gives `missing`, the bits of NaN for floats and 0 for integers; in oneHot, a row of NaN.
//
// Shapes   x: [outer, extent, width];  y: [outer, length, width], of any type of 32 bits, whose bits are moved; with ACCUMULATE,
//          f32. With VEC, only where SHARED, rows are of vec4f and `width` counts those. oneHot's y: [length, extent], f32.
// Mapping  one invocation a cell of y; workgroups in rows of x, then y. What flows back is in scatterSum.wgsl.

//#kernel gather
//#param SHARED: bool
//#param VEC: bool
//#param ACCUMULATE: bool
//#if VEC && ACCUMULATE
alias Cell = vec4f;
//#else
//#if VEC
alias Cell = vec4u;
//#else
//#if ACCUMULATE
alias Cell = f32;
//#else
alias Cell = u32;
//#end
//#end
//#end

struct Sizes { cells: u32, width: u32, length: u32, extent: u32, missing: u32 }
@group(0) @binding(0) var<storage, read> x: array<Cell>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<Cell>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.cells) { return; }
  let row = i / sizes.width;
  //#if SHARED
  let index = indices[row % sizes.length];
  //#else
  let index = indices[i];
  //#end
  let isThere = index < sizes.extent;
  let place = (row / sizes.length * sizes.extent + index) * sizes.width + i % sizes.width;
  //#if ACCUMULATE
  if (isThere) { y[i] += x[place]; }
  //#else
  var value = Cell(sizes.missing);
  if (isThere) { value = x[place]; }
  y[i] = value;
  //#end
}

//#kernel oneHot
struct Sizes { cells: u32, extent: u32, missing: u32 }
@group(0) @binding(0) var<storage, read> indices: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.cells) { return; }
  let index = indices[i / sizes.extent];
  let value = select(0, bitcast<u32>(1.0), index == i % sizes.extent);
  y[i] = select(sizes.missing, value, index < sizes.extent);
}
