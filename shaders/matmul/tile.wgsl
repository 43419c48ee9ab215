// Better than register where invocations are many and workgroup memory is near, which is on GPUs: what a workgroup
// loads of A and B serves all its invocations. A workgroup makes a BM × BN tile of C from BM × 16 of A and 16 × BN of B
// at a time; an invocation TM × 4 of it. It costs: two barriers for every 16 k, and large tiles leave a GPU idle where
// C is small, so that there k is split over the grid's z.
//
// Both tiles lie in workgroup memory as vec4f, k-packed where k is contiguous in storage (so that nothing is transposed
// on the way in), else n- or m-packed. An invocation's rows are BM/TM apart and its columns adjacent; the k-packed tile
// of B is permuted and padded to five vec4f a column, so that neighbours read different banks.
//#use matmul/common

//#kernel matmulTile
//#param BM: u32
//#param BN: u32
//#param TM: u32
const THREADS_X = BN / 4;
const THREADS_Y = BM / TM;
const THREADS = THREADS_X * THREADS_Y;

var<workgroup> tileA: array<vec4f, BM * 4>;
//#if TRANS_B
var<workgroup> tileB: array<vec4f, BN * 5>;
//#else
var<workgroup> tileB: array<vec4f, BN * 4>;
//#end

/// Brings BM rows of op(A), 16 of k from `k` on, to tileA.
fn loadTileA(local: u32, firstRow: u32, k: u32) {
  for (var i = local; i < BM * 4; i += THREADS) {
    //#if TRANS_A
    tileA[i] = loadA(k + i / (BM / 4), firstRow + 4 * (i % (BM / 4)));
    //#else
    tileA[i] = loadA(firstRow + i / 4, k + 4 * (i % 4));
    //#end
  }
}

/// Brings BN columns of op(B), 16 of k from `k` on, to tileB.
fn loadTileB(local: u32, firstColumn: u32, k: u32) {
  for (var i = local; i < BN * 4; i += THREADS) {
    //#if TRANS_B
    let column = i / 4;
    tileB[(column % 4 * THREADS_X + column / 4) * 5 + i % 4] = loadB(firstColumn + column, k + 4 * (i % 4));
    //#else
    tileB[i] = loadB(k + i / (BN / 4), firstColumn + 4 * (i % (BN / 4)));
    //#end
  }
}

@compute @workgroup_size(THREADS_X, THREADS_Y)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) localId: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let firstRow = group.y * BM;
  let firstColumn = group.x * BN;
  let begin = group.z * sizes.kSplit;
  let end = min(begin + sizes.kSplit, sizes.k);
  //#for I in 0..TM: var sum${I} = vec4f();
  //#if ROW_SUMS
  var sumA = vec4f();
  //#end
  for (var k = begin; k < end; k += 16) {
    loadTileA(local, firstRow, k);
    loadTileB(local, firstColumn, k);
    workgroupBarrier();
    for (var q = 0u; q < 4; q++) {
      //#if TRANS_B
      //#for J in 0..4: let t${J} = tileB[(${J} * THREADS_X + localId.x) * 5 + q];
      //#for J in 0..4: let b${J} = vec4f(t0[${J}], t1[${J}], t2[${J}], t3[${J}]);
      //#else
      //#for J in 0..4: let b${J} = tileB[(4 * q + ${J}) * (BN / 4) + localId.x];
      //#end
      //#if TRANS_A
      //#for J in 0..4
      //#for Q in 0..TM/4: let a${J}_${Q} = tileA[(4 * q + ${J}) * (BM / 4) + ${Q} * THREADS_Y + localId.y];
      //#for I in 0..TM: sum${I} = fma(vec4f(a${J}_${I / 4}[${I % 4}]), b${J}, sum${I});
      //#end
      //#else
      //#for I in 0..TM: let a${I} = tileA[(${I} * THREADS_Y + localId.y) * 4 + q];
      //#for J in 0..4, I in 0..TM: sum${I} = fma(vec4f(a${I}[${J}]), b${J}, sum${I});
      //#end if TRANS_A
    }
    //#if ROW_SUMS
    if (group.x == 0 && local < BM / 4) {
      for (var q = 0u; q < 16; q++) {
        sumA += tileA[q * (BM / 4) + local];
      }
    }
    //#end
    workgroupBarrier();
  }
  //#if ROW_SUMS
  if (group.x == 0 && local < BM / 4) {
    //#for J in 0..4: writeRowSum(group.z, firstRow + 4 * local + ${J}, sumA[${J}]);
  }
  //#end
  let column = firstColumn + 4 * localId.x;
  //#for I in 0..TM
  //#if TRANS_A
  write(group.z, firstRow + 4 * (${I / 4} * THREADS_Y + localId.y) + ${I % 4}, column, sum${I});
  //#else
  write(group.z, firstRow + ${I} * THREADS_Y + localId.y, column, sum${I});
  //#end
  //#end for I
}
