// stridedCopy: elements moved between two layouts, each a first place and a step an axis. Permuting, slicing, padding, flipping,
// stretching and repeating are this one copy with other steps.
//
//   stridedCopy   out[toFirst + Σ iₖ·toₖ] (+)= x[fromFirst + Σ iₖ·fromₖ]   for 0 ≤ iₖ < sizeₖ;   with FILL: = value
//   transpose     the same where neighbours in x lie far apart in out, by tiles
//   stridedSum    sums[chunk, i] (+)= Σ_t x[Σ iₖ·keptₖ + Σ tₖ·reducedₖ] over the chunk's t: what flows back to elements that
//                 were stretched or repeated. Where there are several chunks, their sums are summed likewise.
//
// Shapes   RANK axes, the last one varying fastest; `cells` is the product of their sizes. With VEC a cell has four elements,
//          and first places and steps count cells. A step may be 0 (stretched) or negative (flipped).
//          x and out hold any type of 32 bits, whose bits are moved; with ACCUMULATE, f32.
// Mapping  stridedCopy: one invocation a cell, neighbours on neighbouring cells of out. Neighbouring axes that lie alike are one
//          axis, so whole runs are copied where there are any (src/ops/stridedCopy.ts).
//          transpose: a workgroup moves a tile of 32×32 through its memory, so that reads run along x and writes along out. The
//          memory's rows have 33 elements: a column lies in 32 banks. An invocation moves four elements.
//          stridedSum: one invocation an element and chunk of terms, in their order; the chunk follows from shapes alone.
// Source   the tiles: Ruetsch and Micikevicius, Optimizing Matrix Transpose in CUDA (2009).

//#kernel stridedCopy
//#param RANK: u32
//#param VEC: bool
//#param FILL: bool
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

struct Sizes {
  cells: u32,
  toFirst: i32,
  //#if FILL
  value: u32,
  //#else
  fromFirst: i32,
  //#end
  //#for K in 0..RANK: size${K}: u32, to${K}: i32,
  //#if !FILL
  //#for K in 0..RANK: from${K}: i32,
  //#end
}

@group(0) @binding(0) var<storage, read_write> out: array<Cell>;
//#if !FILL
@group(0) @binding(1) var<storage, read> x: array<Cell>;
//#end
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.cells) { return; }
  var rest = i;
  var writeAt = sizes.toFirst;
  //#if !FILL
  var readAt = sizes.fromFirst;
  //#end
  //#for J in 0..RANK
  {
    //#if J == RANK - 1
    let place = i32(rest);
    //#else
    let place = i32(rest % sizes.size${RANK - 1 - J});
    rest /= sizes.size${RANK - 1 - J};
    //#end
    writeAt += place * sizes.to${RANK - 1 - J};
    //#if !FILL
    readAt += place * sizes.from${RANK - 1 - J};
    //#end
  }
  //#end for J
  //#if FILL
  out[writeAt] = Cell(sizes.value);
  //#else
  //#if ACCUMULATE
  out[writeAt] += x[readAt];
  //#else
  out[writeAt] = x[readAt];
  //#end
  //#end if FILL
}

//#kernel transpose
//#param RANK: u32
//#param ACCUMULATE: bool
//#if ACCUMULATE
alias Cell = f32;
//#else
alias Cell = u32;
//#end

// rows: the axis along which x is contiguous, and how far out moves along it; columns: the other way round.
struct Sizes {
  tiles: u32,
  toFirst: i32,
  fromFirst: i32,
  rows: u32,
  toRow: i32,
  columns: u32,
  fromColumn: i32,
  //#for K in 0..RANK: size${K}: u32, to${K}: i32, from${K}: i32,
}

@group(0) @binding(0) var<storage, read_write> out: array<Cell>;
@group(0) @binding(1) var<storage, read> x: array<Cell>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

var<workgroup> tile: array<Cell, 1056>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = group.x + group.y * groups.x;
  if (at >= sizes.tiles) { return; }
  let wide = (sizes.columns + 31) / 32;
  let high = (sizes.rows + 31) / 32;
  let column = at % wide * 32;
  let row = at / wide % high * 32;
  var writeAt = sizes.toFirst;
  var readAt = sizes.fromFirst;
  //#if RANK > 0
  var rest = at / wide / high;
  //#end
  //#for J in 0..RANK
  {
    let place = i32(rest % sizes.size${RANK - 1 - J});
    rest /= sizes.size${RANK - 1 - J};
    writeAt += place * sizes.to${RANK - 1 - J};
    readAt += place * sizes.from${RANK - 1 - J};
  }
  //#end for J
  let near = local % 32;
  let far = local / 32;
  for (var step = far; step < 32; step += 8) {
    if (row + near < sizes.rows && column + step < sizes.columns) {
      tile[step * 33 + near] = x[readAt + i32(row + near) + i32(column + step) * sizes.fromColumn];
    }
  }
  workgroupBarrier();
  for (var step = far; step < 32; step += 8) {
    if (row + step < sizes.rows && column + near < sizes.columns) {
      let place = writeAt + i32(row + step) * sizes.toRow + i32(column + near);
      //#if ACCUMULATE
      out[place] += tile[near * 33 + step];
      //#else
      out[place] = tile[near * 33 + step];
      //#end
    }
  }
}

//#kernel stridedSum
//#param KEPT: u32
//#param REDUCED: u32
//#param ACCUMULATE: bool
struct Sizes {
  count: u32,
  elements: u32,
  chunk: u32,
  terms: u32,
  //#for K in 0..KEPT: size${K}: u32, kept${K}: u32,
  //#for K in 0..REDUCED: terms${K}: u32, reduced${K}: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  var rest = i % sizes.elements;
  var base = 0u;
  //#for J in 0..KEPT
  base += rest % sizes.size${KEPT - 1 - J} * sizes.kept${KEPT - 1 - J};
  rest /= sizes.size${KEPT - 1 - J};
  //#end for J
  let first = i / sizes.elements * sizes.chunk;
  var sum = 0.0;
  for (var term = first; term < min(first + sizes.chunk, sizes.terms); term++) {
    var at = base;
    //#if REDUCED > 0
    var left = term;
    //#end
    //#for J in 0..REDUCED
    {
      //#if J == REDUCED - 1
      at += left * sizes.reduced${REDUCED - 1 - J};
      //#else
      at += left % sizes.terms${REDUCED - 1 - J} * sizes.reduced${REDUCED - 1 - J};
      left /= sizes.terms${REDUCED - 1 - J};
      //#end
    }
    //#end for J
    sum += x[at];
  }
  //#if ACCUMULATE
  sums[i] += sum;
  //#else
  sums[i] = sum;
  //#end
}
