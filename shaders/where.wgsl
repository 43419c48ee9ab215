// where: y = a where the condition is not 0, else b, all three stretched to the shape of y (broadcasting). It moves bits: a, b
// and y may be of any type of four bytes. Gradients are those of binary.wgsl.
//
// Shapes   y in RANK axes, neighbours that are stretched alike taken as one: extents size0 …, and by how much an index of the
//          condition, of a and of b moves along each: condition0 …, a0 …, b0 …; 0 where it is stretched. VEC: four neighbours
//          along the last axis are a cell; what is stretched along it is not wide, and one stands for four.
// Mapping  one invocation a cell of y; workgroups in rows of x, then y.

//#kernel where
//#param RANK: u32
//#param VEC: bool
//#param WIDE_CONDITION: bool
//#param WIDE_A: bool
//#param WIDE_B: bool
//#if WIDE_CONDITION
alias CellCondition = vec4u;
//#else
alias CellCondition = u32;
//#end
//#if WIDE_A
alias CellA = vec4u;
//#else
alias CellA = u32;
//#end
//#if WIDE_B
alias CellB = vec4u;
//#else
alias CellB = u32;
//#end
//#if VEC
alias CellY = vec4u;
fn toCell(value: vec4u) -> CellY { return value; }
//#else
alias CellY = u32;
fn toCell(value: vec4u) -> CellY { return value.x; }
//#end
struct Sizes {
  count: u32,
  //#for K in 0..RANK: size${K}: u32, condition${K}: u32, a${K}: u32, b${K}: u32,
}

@group(0) @binding(0) var<storage, read> condition: array<CellCondition>;
@group(0) @binding(1) var<storage, read> a: array<CellA>;
@group(0) @binding(2) var<storage, read> b: array<CellB>;
@group(0) @binding(3) var<storage, read_write> y: array<CellY>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  var rest = i;
  var at = vec3u();
  //#for J in 1..RANK
  at += rest % sizes.size${RANK - J} * vec3u(sizes.condition${RANK - J}, sizes.a${RANK - J}, sizes.b${RANK - J});
  rest /= sizes.size${RANK - J};
  //#end for J
  //#if RANK > 0
  at += rest * vec3u(sizes.condition0, sizes.a0, sizes.b0);
  //#end
  y[i] = toCell(select(vec4u(b[at.z]), vec4u(a[at.y]), vec4u(condition[at.x]) != vec4u()));
}
