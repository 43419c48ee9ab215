// scatterSum: rows added up by index, the adjoint of gather.
//
//   out[o, a, i] (+)= Σ_n source[o, n, i] over the n whose index is a, in the order of n
//
// index = indices[n] where SHARED, else indices[o, n, i]. One that is not below `extent` adds nothing.
//
// Two ways, which the shapes choose (src/ops/scatterSum.ts). Neither needs atomics on floats or a sort, and in both the order of
// each sum follows from shapes and indices alone:
//
//   scatterColumns   an invocation owns a column (o, i) of out, which is filled before, and adds row after row to it. The work
//                    is length an invocation: right where there are many columns, or few rows.
//   scatterRows      a workgroup owns `rows` rows and `lanes` columns of out, in its memory. It reads the indices 256 at a time,
//                    all together, lists those of its rows in order, and adds what they name; each cell has one lane that adds
//                    to it. Only an index is read once for every block of rows: the work is extent·length/rows readings of
//                    indices, and length·columns additions. A sort of the indices first would read them less often, but takes
//                    many dispatches; readings of indices are neighbours, and the same for all workgroups, so caches serve them.
//                    A table of few rows would keep few workgroups busy: then `chunks` of the indices have sums of their own,
//                    [chunks, out], which are added up afterwards; they take no more memory than source does.
//
// Shapes   source: [outer, length, width];  out: [outer, extent, width];  indices: [length] where SHARED, else as source.
// Mapping  scatterColumns: one invocation a column. scatterRows: a workgroup a line, chunk, block of rows and block of columns. A
//          line is o where SHARED, with `width` columns; else it is (o, i), with one.

//#kernel scatterColumns
//#param SHARED: bool
struct Sizes { columns: u32, width: u32, length: u32, extent: u32 }
@group(0) @binding(0) var<storage, read> indices: array<u32>;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = id.x + id.y * groups.x * 64;
  if (column >= sizes.columns) { return; }
  let o = column / sizes.width;
  let i = column % sizes.width;
  for (var n = 0u; n < sizes.length; n++) {
    let at = (o * sizes.length + n) * sizes.width + i;
    //#if SHARED
    let index = indices[n];
    //#else
    let index = indices[at];
    //#end
    if (index < sizes.extent) { out[(o * sizes.extent + index) * sizes.width + i] += source[at]; }
  }
}

//#kernel scatterRows
//#param SHARED: bool
//#param ACCUMULATE: bool
struct Sizes {
  groups: u32,
  width: u32,
  length: u32,
  extent: u32,
  columns: u32,
  lanes: u32,
  rows: u32,
  chunks: u32,
  chunk: u32,
  size: u32,
}
@group(0) @binding(0) var<storage, read> indices: array<u32>;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

// Cell row·lanes + column belongs to the invocation of its number modulo 64.
var<workgroup> sums: array<f32, 2048>;
// Which of the 256 indices at hand are of the block's rows: a bit each; the rows; then those alone, in order.
var<workgroup> found: array<atomic<u32>, 8>;
var<workgroup> listed: array<u32, 256>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  var rest = group.x + group.y * groups.x;
  if (rest >= sizes.groups) { return; }
  let columnBlocks = (sizes.columns + sizes.lanes - 1) / sizes.lanes;
  let rowBlocks = (sizes.extent + sizes.rows - 1) / sizes.rows;
  let firstColumn = rest % columnBlocks * sizes.lanes;
  rest /= columnBlocks;
  let firstRow = rest % rowBlocks * sizes.rows;
  rest /= rowBlocks;
  let chunk = rest % sizes.chunks;
  let line = rest / sizes.chunks;
  //#if SHARED
  let o = line;
  let i = firstColumn + local % sizes.lanes;
  //#else
  let o = line / sizes.width;
  let i = line % sizes.width;
  //#end
  let isColumn = firstColumn + local % sizes.lanes < sizes.columns;
  let mine = local / sizes.lanes;
  let rowStep = 64 / sizes.lanes;
  let cells = sizes.rows * sizes.lanes;
  for (var cell = local; cell < cells; cell += 64) { sums[cell] = 0; }
  let end = min(sizes.length, (chunk + 1) * sizes.chunk);
  for (var first = chunk * sizes.chunk; first < end; first += 256) {
    if (local < 8) { atomicStore(&found[local], 0); }
    workgroupBarrier();
    var rows: array<u32, 4>;
    for (var k = 0u; k < 4; k++) {
      let at = local + k * 64;
      rows[k] = sizes.rows;
      if (first + at < end) {
        //#if SHARED
        let index = indices[first + at];
        //#else
        let index = indices[(o * sizes.length + first + at) * sizes.width + i];
        //#end
        if (index >= firstRow && index < min(sizes.extent, firstRow + sizes.rows)) {
          rows[k] = index - firstRow;
          atomicOr(&found[at / 32], 1u << (at % 32));
        }
      }
    }
    workgroupBarrier();
    var total = 0u;
    for (var word = 0u; word < 8; word++) {
      let bits = atomicLoad(&found[word]);
      for (var k = 0u; k < 4; k++) {
        let at = local + k * 64;
        if (at / 32 == word && rows[k] < sizes.rows) {
          listed[total + countOneBits(bits & ((1u << (at % 32)) - 1))] = at | (rows[k] << 8);
        }
      }
      total += countOneBits(bits);
    }
    workgroupBarrier();
    for (var k = 0u; k < total; k += 4) {
      // Four at a time: none of the readings waits for an addition.
      //#for J in 0..4
      let entry${J} = listed[min(k + ${J}, total - 1)];
      let row${J} = entry${J} >> 8;
      let isMine${J} = k + ${J} < total && isColumn && row${J} % rowStep == mine;
      var value${J} = 0.0;
      if (isMine${J}) { value${J} = source[(o * sizes.length + first + (entry${J} & 255)) * sizes.width + i]; }
      //#end for J
      //#for J in 0..4
      if (isMine${J}) { sums[row${J} * sizes.lanes + local % sizes.lanes] += value${J}; }
      //#end for J
    }
  }
  for (var cell = local; cell < cells; cell += 64) {
    let row = firstRow + cell / sizes.lanes;
    if (isColumn && row < sizes.extent) {
      let place = chunk * sizes.size + (o * sizes.extent + row) * sizes.width + i;
      //#if ACCUMULATE
      out[place] += sums[cell];
      //#else
      out[place] = sums[cell];
      //#end
    }
  }
}
