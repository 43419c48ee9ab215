// add: out = a + b, and sum (+)= value, elementwise. VALUE16, SUM16: that one is f16; the sum itself is made in f32.
//
// Shapes   a, b, out: [count] f32; value, sum: [count], each f32 or f16; row-major.
// Mapping  one invocation a cell: four elements (VEC, where their number is a multiple of four) or one; workgroups in rows of
//          x, then y.

//#kernel add
//#param VEC: bool
//#if VEC
alias Cell = vec4f;
//#else
alias Cell = f32;
//#end
@group(0) @binding(0) var<storage, read> a: array<Cell>;
@group(0) @binding(1) var<storage, read> b: array<Cell>;
@group(0) @binding(2) var<storage, read_write> out: array<Cell>;
struct Sizes { cells: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256u;
  if (i < sizes.cells) { out[i] = a[i] + b[i]; }
}

//#kernel addInPlace
//#param ACCUMULATE: bool
//#param VALUE16: bool
//#param SUM16: bool
//#param VEC: bool
//#if VALUE16 || SUM16
//#enable f16
//#end
//#if VALUE16
alias Value = f16;
//#else
alias Value = f32;
//#end
//#if SUM16
alias Sum = f16;
//#else
alias Sum = f32;
//#end
//#if VEC
alias Cell = vec4f;
alias ValueCell = vec4<Value>;
alias SumCell = vec4<Sum>;
//#else
alias Cell = f32;
alias ValueCell = Value;
alias SumCell = Sum;
//#end
@group(0) @binding(0) var<storage, read> value: array<ValueCell>;
@group(0) @binding(1) var<storage, read_write> sum: array<SumCell>;
struct Sizes { cells: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 256u;
  if (i < sizes.cells) {
    //#if ACCUMULATE
    sum[i] = SumCell(Cell(sum[i]) + Cell(value[i]));
    //#else
    sum[i] = SumCell(value[i]);
    //#end
  }
}
