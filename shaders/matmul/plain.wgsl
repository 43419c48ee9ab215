// The reference: an invocation an output, which it sums split by split. VEC is false.
//#use matmul/common

//#kernel matmulPlain
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let column = id.x;
  if (row >= sizes.m || column >= sizes.n) {
    return;
  }
  var total = 0.0;
  for (var begin = 0u; begin < sizes.k; begin += sizes.kSplit) {
    let end = min(begin + sizes.kSplit, sizes.k);
    var sum = 0.0;
    for (var k = begin; k < end; k++) {
      //#if TRANS_A
      let x = elementOfA(k * sizes.m + row);
      //#else
      let x = elementOfA(row * sizes.k + k);
      //#end
      //#if TRANS_B
      let y = elementOfB(column * sizes.k + k);
      //#else
      let y = elementOfB(k * sizes.n + column);
      //#end
      sum = fma(x, y, sum);
    }
    total += sum;
  }
  writeCell(0, row, column, Cell(total));
  //#if ROW_SUMS
  if (column == 0) {
    writeRowSum(0, row, rowSum(row));
  }
  //#end
}
