// Sums in fixed order, in two stages: out[i] (+)= Σ over blocks of a partial sum. X16, OUT16: that one is f16, not f32.
//
//   columnSumPartial  partials[block, column] = Σ over the block's rows of x[row, column], for x [rows, width]: the first
//                     stage of the gradient of a bias. One invocation a column and block, neighbours on neighbours.
//   sumPartials       out[i] (+)= Σ_s partials[s, i] in the order of s, for partials [splits, count]: the second stage, and
//                     that of a matrix product split along k. One invocation an element.

//#kernel columnSumPartial
//#param X16: bool
//#if X16
//#enable f16
alias Element = f16;
//#else
alias Element = f32;
//#end
struct Size {
  rows: u32,
  width: u32,
  rowsPerBlock: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Element>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;
@group(0) @binding(2) var<uniform> size: Size;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let block = id.y;
  let begin = block * size.rowsPerBlock;
  let end = min(begin + size.rowsPerBlock, size.rows);
  if (column < size.width) {
    var sum = 0.0;
    for (var row = begin; row < end; row++) {
      sum += f32(x[row * size.width + column]);
    }
    partials[block * size.width + column] = sum;
  }
}

//#kernel sumPartials
//#param ACCUMULATE: bool
//#param OUT16: bool
//#if OUT16
//#enable f16
alias Element = f16;
//#else
alias Element = f32;
//#end
struct Size {
  splits: u32,
  count: u32,
}

@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<Element>;
@group(0) @binding(2) var<uniform> size: Size;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < size.count) {
    var sum = 0.0;
    for (var s = 0u; s < size.splits; s++) {
      sum += partials[s * size.count + i];
    }
//#if ACCUMULATE
    out[i] = Element(f32(out[i]) + sum);
//#else
    out[i] = Element(sum);
//#end
  }
}
