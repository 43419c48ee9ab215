// Better than register where there are subgroups: the LANES invocations of a workgroup lie side by side along n and
// share their rows, so that what a subgroup needs of A is loaded once. It costs: a shuffle for each of its elements,
// which is cheap on lavapipe (eight lanes) and about as dear as a load on SwiftShader (four).
//
// An invocation makes TM × TN outputs. Of A, lane l of a subgroup loads what k + l needs, and all lanes get it by
// shuffle; of B, each loads its own. An invocation's columns follow its local index and its share of A its subgroup
// lane, so nothing is assumed of how the two correspond; what is needed is that lanes 0 … LANES−1 of each subgroup are
// active. UNROLL (1 or 0): the loop over lanes is written out, so that a shuffle is a broadcast from a lane known to
// the compiler; at the end of k, lanes share zeros.
//#use matmul/common

//#kernel matmulShuffle
//#enable subgroups
//#param SPLIT: bool
//#param TM: u32
//#param TN: u32
//#param LANES: u32
//#param UNROLL: u32
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let lane = subgroupLane % LANES;
  let row = group.y * TM;
  let column = (group.x * LANES + local) * TN;
  // Places outside are moved to the edge: what they give is never stored.
  //#if TRANS_A
  //#for I in 0..TM: let row${I} = min(row + ${I}, sizes.m - 1);
  //#else
  //#for I in 0..TM: let row${I} = min(row + ${I}, sizes.m - 1) * sizes.k;
  //#end
  //#if TRANS_B
  //#for J in 0..TN: let column${J} = min(column + ${J}, sizes.n - 1) * sizes.k;
  //#else
  //#for J in 0..TN: let column${J} = min(column + ${J}, sizes.n - 1);
  //#end
  //#for I in 0..TM, C in 0..TN/4: var sum${I}_${C} = vec4f();
  //#if SPLIT
  //#for I in 0..TM, C in 0..TN/4: var total${I}_${C} = vec4f();
  for (var begin = 0u; begin < sizes.k; begin += sizes.kSplit) {
  //#else
  let begin = 0u;
  //#end
  let end = min(begin + sizes.kSplit, sizes.k);
  for (var k = begin; k < end; k += LANES) {
    let mine = min(k + lane, sizes.k - 1);
    let inside = f32(k + lane < end);
    //#if TRANS_A && VEC
    //#for Q in 0..TM/4: let x${Q} = inside * vec4f(a[(mine * sizes.m + row${4 * Q}) / 4]);
    //#end
    //#if TRANS_A && !VEC
    //#for Q in 0..TM/4
    let x${Q} = inside * vec4f(
      //#for J in 0..4: f32(a[mine * sizes.m + row${4 * Q + J}]),
    );
    //#end
    //#end if TRANS_A && !VEC
    //#if !TRANS_A
    //#for I in 0..TM: let x${I} = inside * elementOfA(row${I} + mine);
    //#end
    //#if UNROLL && VEC && TRANS_B
    //#for J in 0..TN, H in 0..LANES/4: let t${J}_${H} = vec4f(b[(column${J} + min(k + ${4 * H}, sizes.k - 4)) / 4]);
    //#end
    //#if !UNROLL
    let lanes = min(LANES, end - k);
    for (var l = 0u; l < lanes; l++) {
    //#end
    //#for L in 0..1 + UNROLL * (LANES - 1)
    //#if UNROLL
    {
      let at = min(k + ${L}, sizes.k - 1);
    //#else
      let at = k + l;
    //#end
      //#for C in 0..TN/4
      //#if VEC && !TRANS_B
      let y${C} = vec4f(b[(at * sizes.n + column${4 * C}) / 4]);
      //#else
      let y${C} = vec4f(
        //#for J in 0..4
        //#if TRANS_B
        //#if UNROLL && VEC
        t${4 * C + J}_${L / 4}[${L % 4}],
        //#else
        elementOfB(column${4 * C + J} + at),
        //#end
        //#else
        elementOfB(at * sizes.n + column${4 * C + J}),
        //#end if TRANS_B
        //#end for J
      );
      //#end if VEC && !TRANS_B
      //#end for C
      //#if TRANS_A
      //#for Q in 0..TM/4
      //#if UNROLL
      let s${Q} = subgroupBroadcast(x${Q}, ${L}u);
      //#else
      let s${Q} = subgroupShuffle(x${Q}, l);
      //#end
      //#end for Q
      //#for I in 0..TM, C in 0..TN/4: sum${I}_${C} = fma(vec4f(s${I / 4}[${I % 4}]), y${C}, sum${I}_${C});
      //#else
      //#for I in 0..TM
      //#if UNROLL
      let s${I} = subgroupBroadcast(x${I}, ${L}u);
      //#else
      let s${I} = subgroupShuffle(x${I}, l);
      //#end
      //#for C in 0..TN/4: sum${I}_${C} = fma(vec4f(s${I}), y${C}, sum${I}_${C});
      //#end for I
      //#end if TRANS_A
    }
    //#end for L
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
  if (group.x == 0) { writeRowSums(row, TM, local, LANES); }
  //#end
}
