// The second stage of sums in fixed order: out[i] (+)= Σ_s partials[s, i], in the order of s.
//
// Shapes   partials [splits, count], out [count]; SECOND: another pair of the same splits besides, in the same dispatch
//          (a matrix product that was split along k leaves the partial sums of its own elements, and of its A's). OUT16: out is f16.
// Mapping  one invocation a cell: four elements (VEC, where both counts are whole cells) or one; those of the second pair after
//          those of the first; workgroups in rows of x, then y.
//#kernel splitKReduce
//#param SECOND: bool
//#param OUT16: bool
//#param VEC: bool
//#param ACCUMULATE: bool
//#param ACCUMULATE_SECOND: bool
//#if OUT16
//#enable f16
//#end
//#if VEC
alias Cell = vec4f;
//#else
alias Cell = f32;
//#end
//#if OUT16 && VEC
alias OutCell = vec4<f16>;
//#else
//#if OUT16
alias OutCell = f16;
//#else
alias OutCell = Cell;
//#end
//#end if OUT16 && VEC
struct Sizes {
  splits: u32,
  cells: u32,
  cellsSecond: u32,
}

@group(0) @binding(0) var<storage, read> partials: array<Cell>;
@group(0) @binding(1) var<storage, read_write> out: array<OutCell>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
//#if SECOND
@group(0) @binding(3) var<storage, read> partialsSecond: array<Cell>;
@group(0) @binding(4) var<storage, read_write> outSecond: array<Cell>;
//#end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < sizes.cells) {
    var sum = Cell();
    var s = 0u;
    // Four loads at once, so that memory is waited for once; the sum's order is that of s.
    for (; s + 3u < sizes.splits; s += 4u) {
      //#for U in 0..4: let part${U} = partials[(s + ${U}u) * sizes.cells + i];
      //#for U in 0..4: sum += part${U};
    }
    for (; s < sizes.splits; s++) { sum += partials[s * sizes.cells + i]; }
    //#if ACCUMULATE
    sum += Cell(out[i]);
    //#end
    out[i] = OutCell(sum);
  }
  //#if SECOND
  if (i >= sizes.cells && i - sizes.cells < sizes.cellsSecond) {
    let j = i - sizes.cells;
    var sum = Cell();
    for (var s = 0u; s < sizes.splits; s++) { sum += partialsSecond[s * sizes.cellsSecond + j]; }
    //#if ACCUMULATE_SECOND
    sum += outSecond[j];
    //#end
    outSecond[j] = sum;
  }
  //#end if SECOND
}
