exec(open('/tmp/h/files/p1.py').read().split("CELL_MAP=")[0])
sub('shaders/reduce.wgsl',
("// Maximum over the `lanes`", """// The sum of what 64 lanes hold, where 16 invocations hold four lanes each: by the tree of laneSum, so of the same bits. Four
// such sums a workgroup. Every invocation of the workgroup must call it.
fn cellSum(local: u32, value: vec4f) -> f32 {
  cellSums[local] = value;
  workgroupBarrier();
  for (var span = 8u; span > 0u; span /= 2u) {
    if (local % 16u < span) { cellSums[local] += cellSums[local + span]; }
    workgroupBarrier();
  }
  let sum = cellSums[local - local % 16u];
  workgroupBarrier();
  return (sum.x + sum.z) + (sum.y + sum.w);
}

// Maximum over the `lanes`"""),
("var<workgroup> laneMaxima","var<workgroup> cellSums: array<vec4f, 64>;\nvar<workgroup> laneMaxima"),
)
sub('shaders/lars.wgsl',
("""// Mapping  norms: a workgroup a block, then (ratios) an invocation a tensor, which adds its blocks in order.
//          update: one invocation an element.
""","""// Mapping  norms: 16 invocations a block, each every 16th four elements; then (ratios) an invocation a tensor, which adds its
//          blocks in order. update: one invocation four elements, which are of one tensor.
"""),
("values: array<f32>;","values: array<vec4f>;"),("grads: array<f32>;","grads: array<vec4f>;"),("mu: array<f32>;","mu: array<vec4f>;"),
("halves: array<f16>","halves: array<vec4<f16>>"),
("  let at = group.x + group.y * groups.x;\n","  let at = (group.x + group.y * groups.x) * 4u + local / 16u;\n"),
("  var value = 0.0;\n  var update = 0.0;\n  for (var i = block.x + local; i < block.y; i += WORKGROUP) {",
"""  var value = vec4f();
  var update = vec4f();
  // A tensor's last four may reach beyond its end, where there are zeros.
  for (var i = block.x / 4u + local % 16u; 4u * i < block.y; i += 16u) {"""),
("let valueSum = laneSum(local, WORKGROUP, value);","let valueSum = cellSum(local, value);"),
("let updateSum = laneSum(local, WORKGROUP, update);","let updateSum = cellSum(local, update);"),
("if (local == 0u && inside)","if (local % 16u == 0u && inside)"),
("if (i >= sizes.count) ","if (i >= sizes.count / 4u) "),
("segments[i / 64u]","segments[i / 16u]"),("halves[i] = f16(values[i])","halves[i] = vec4<f16>(values[i])"),
)
sub('src/optim/lars.ts',("workgroupRow(n),","workgroupRow(Math.ceil(n / 4)),"),("Math.ceil(count / 64)","Math.ceil(count / 256)"))
sub('src/optim/adamw.ts',("Math.ceil(count / 64)","Math.ceil(count / 256)"))
sub('src/optim/momentum.ts',("Math.ceil(count / 64)","Math.ceil(count / 256)"))
sub('src/optim/ema.ts',("Math.ceil(average.size / 64)","Math.ceil(average.size / 256)"))
