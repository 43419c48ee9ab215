// Better than plain: an invocation makes TM × TN outputs, four k at a time, so that of 4·(TM + TN) elements that it
// loads each serves several sums, which stay in registers; the invocations of a workgroup lie side by side along n. It
// costs: all sums are written out, so that large tiles compile for long.
//#use matmul/common

//#kernel matmulRegister
//#param SPLIT: bool
//#param TM: u32
//#param TN: u32
//#param WIDTH: u32
@compute @workgroup_size(WIDTH)
fn main(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = id.y * TM;
  let column = id.x * TN;
  //#for I in 0..TM, C in 0..TN/4: var sum${I}_${C} = vec4f();
  //#if SPLIT
  //#for I in 0..TM, C in 0..TN/4: var total${I}_${C} = vec4f();
  for (var begin = 0u; begin < sizes.k; begin += sizes.kSplit) {
  //#else
  let begin = 0u;
  //#end
  let end = min(begin + sizes.kSplit, sizes.k);
  for (var k = begin; k < end; k += 4) {
    //#for C in 0..TN/4
    //#if TRANS_B
    //#for J in 0..4: let t${C}_${J} = loadB(column + ${4 * C + J}, k);
    //#for J in 0..4: let y${J}_${C} = vec4f(t${C}_0[${J}], t${C}_1[${J}], t${C}_2[${J}], t${C}_3[${J}]);
    //#else
    //#for J in 0..4: let y${J}_${C} = loadB(k + ${J}, column + ${4 * C});
    //#end
    //#end for C
    //#if TRANS_A
    //#for J in 0..4
    //#for Q in 0..TM/4: let x${J}_${Q} = loadA(k + ${J}, row + ${4 * Q});
    //#for I in 0..TM, C in 0..TN/4: sum${I}_${C} = fma(vec4f(x${J}_${I / 4}[${I % 4}]), y${J}_${C}, sum${I}_${C});
    //#end
    //#else
    //#for I in 0..TM
    let x${I} = loadA(row + ${I}, k);
    //#for J in 0..4, C in 0..TN/4: sum${I}_${C} = fma(vec4f(x${I}[${J}]), y${J}_${C}, sum${I}_${C});
    //#end
    //#end if TRANS_A
  }
  //#if SPLIT
  //#for I in 0..TM, C in 0..TN/4
  total${I}_${C} += sum${I}_${C};
  sum${I}_${C} = vec4f();
  //#end
  }
  //#for I in 0..TM, C in 0..TN/4: sum${I}_${C} = total${I}_${C};
  //#end if SPLIT
  //#for I in 0..TM, C in 0..TN/4: write(0, row + ${I}, column + ${4 * C}, sum${I}_${C});
  //#if ROW_SUMS
  if (group.x == 0) { writeRowSums(row, TM, local, WIDTH); }
  //#end
}
