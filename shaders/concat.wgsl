// concat: arrays one after the other along their first axis.
//
//   forward    out[offset + i] = part[i],   once a part, offset = sizes of the parts before it
//   backward   dPart[i] = dOut[offset + i]
//
// Shapes   part, dPart: [count];  out, dOut: all of them; of vec4f with VEC, else of f32.
// Mapping  one invocation a cell; workgroups in rows of x, then y.

const WORKGROUP: u32 = 256u;

//#if VEC
alias Cell = vec4f;
//#else
alias Cell = f32;
//#end

struct Sizes { count: u32, offset: u32 }

//#kernel concat
//#param VEC: bool
@group(0) @binding(0) var<storage, read> part: array<Cell>;
@group(0) @binding(1) var<storage, read_write> out: array<Cell>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i < sizes.count) { out[sizes.offset + i] = part[i]; }
}

//#kernel concatBackward
//#param VEC: bool
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> dOut: array<Cell>;
@group(0) @binding(1) var<storage, read_write> dPart: array<Cell>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  //#if ACCUMULATE
  dPart[i] += dOut[sizes.offset + i];
  //#else
  dPart[i] = dOut[sizes.offset + i];
  //#end
}
