// The second stage of sums in fixed order: out[i] (+)= Σ_s partials[s, i], of up to eight pairs of partials and out at once.
//
// Shapes   of each pair P: partials [splits, stride], of whose rows the elements from `first` on are summed; out [count].
//          A product that was split along k leaves partial sums of its own elements, and of its A's; layerNorm those of
//          the gradients of scale and shift. OUT16: out is f16. ACCUMULATE: bit P says whether pair P adds to its out.
// Mapping  a cell is four elements (VEC, where all counts, strides and firsts are whole cells) or one. Pair P has the
//          workgroups up to `end`; in them `lanes` invocations share a cell, the lane slowest. A lane takes every lanes-th
//          split in order; the lanes' sums meet in workgroup memory, as a tree. One lane: the order of s.

//#kernel splitKReduce
//#param PAIRS: u32
//#param VEC: bool
//#param OUT16: bool
//#param ACCUMULATE: u32
//#if OUT16
//#enable f16
//#end
//#if OUT16
alias Out = f16;
//#else
alias Out = f32;
//#end
//#if VEC
alias Cell = vec4f;
alias OutCell = vec4<Out>;
//#else
alias Cell = f32;
alias OutCell = Out;
//#end
struct Sizes {
  //#for P in 0..PAIRS: end${P}: u32, splits${P}: u32, cells${P}: u32, stride${P}: u32, first${P}: u32, lanes${P}: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
//#for P in 0..PAIRS
@group(0) @binding(${2 * P + 1}) var<storage, read> partials${P}: array<Cell>;
@group(0) @binding(${2 * P + 2}) var<storage, read_write> out${P}: array<OutCell>;
//#end

const WORKGROUP = 64u;
var<workgroup> laneSums: array<Cell, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = group.x + group.y * groups.x;
  var begin = 0u;
  //#for P in 0..PAIRS
  if (at < sizes.end${P}) {
    let across = WORKGROUP / sizes.lanes${P};
    let cell = (at - begin) * across + local % across;
    let inside = cell < sizes.cells${P};
    let source = sizes.first${P} + min(cell, sizes.cells${P} - 1u);
    let step = sizes.lanes${P} * sizes.stride${P};
    var s = local / across;
    var place = source + s * sizes.stride${P};
    var sum = Cell();
    // Four loads at once, so that memory is waited for once; the order is that of the loop below.
    for (; s + 3u * sizes.lanes${P} < sizes.splits${P}; s += 4u * sizes.lanes${P}) {
      //#for U in 0..4: let part${U} = partials${P}[place + ${U}u * step];
      //#for U in 0..4: sum += part${U};
      place += 4u * step;
    }
    for (; s < sizes.splits${P}; s += sizes.lanes${P}) {
      sum += partials${P}[place];
      place += step;
    }
    for (var span = sizes.lanes${P} / 2u; span > 0u; span /= 2u) {
      laneSums[local] = sum;
      workgroupBarrier();
      if (local < span * across) { sum += laneSums[local + span * across]; }
      workgroupBarrier();
    }
    if (inside && local < across) {
      if (((ACCUMULATE >> ${P}u) & 1u) == 1u) { sum += Cell(out${P}[cell]); }
      out${P}[cell] = OutCell(sum);
    }
    return;
  }
  begin = sizes.end${P};
  //#end for P
}
