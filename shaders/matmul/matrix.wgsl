// Better than tile where a GPU has matrix units: a subgroup multiplies whole matrices of f16 and adds in f32. It costs:
// A and B are rounded to f16, and the order of sums is the unit's.
//
// A workgroup makes a BM × BN tile of C from BM × BK of A and BK × BN of B at a time, which lie in workgroup memory as
// they do in storage, in f16 and with zeros where the matrices end: matrix loads know no bounds. DOWN × ACROSS parts of
// the tile, LEFTS × RIGHTS matrices of M × N each, are made by a subgroup each, in f32. Single elements of a matrix
// can't be reached, so results go out through workgroup memory, a matrix a subgroup at a time, where each invocation
// finishes four neighbours. A grid of several z is as in tile.
//
// Nothing depends on how large subgroups are: where there are fewer than parts, the tile is made in several rounds;
// where there are more, some make what nobody stores. What WebGPU's experiment calls things,
// shaders/subgroupMatrix.wgsl says.
//#use matmul/common

//#kernel matmulMatrix
//#param M: u32
//#param N: u32
//#param K: u32
//#param LEFTS: u32
//#param RIGHTS: u32
//#param DOWN: u32
//#param ACROSS: u32
//#param LANES: u32
//#use subgroupMatrix
const PARTS = DOWN * ACROSS;
const THREADS = LANES * PARTS;
const BM = DOWN * LEFTS * M;
const BN = ACROSS * RIGHTS * N;
const BK = 32u;
// Rows are padded by 16 bytes, so that neighbouring ones start in different banks.
//#if TRANS_A
const PITCH_A = BM + 8;
const STEP_M = 1u;
const STEP_KA = PITCH_A;
var<workgroup> tileA: array<f16, BK * PITCH_A>;
//#else
const PITCH_A = BK + 8;
const STEP_M = PITCH_A;
const STEP_KA = 1u;
var<workgroup> tileA: array<f16, BM * PITCH_A>;
//#end
//#if TRANS_B
const PITCH_B = BK + 8;
const STEP_N = PITCH_B;
const STEP_KB = 1u;
var<workgroup> tileB: array<f16, BN * PITCH_B>;
//#else
const PITCH_B = BN + 8;
const STEP_N = 1u;
const STEP_KB = PITCH_B;
var<workgroup> tileB: array<f16, BK * PITCH_B>;
//#end
var<workgroup> tileC: array<f32, PARTS * M * N>;
//#if ROW_SUMS
// Of A as it is rounded here, like the product's own terms.
var<workgroup> sumsOfA: array<f32, BM>;
//#end

/// Brings BM rows of op(A), BK of k from `k` on, to tileA, with zeros from `end` on.
fn loadTileA(local: u32, firstRow: u32, k: u32, end: u32) {
  for (var i = 4 * local; i < BM * BK; i += 4 * THREADS) {
    //#if TRANS_A
    let row = i / BM;
    let column = i % BM;
    let x = select(vec4f(), loadA(k + row, firstRow + column), k + row < end);
    //#else
    let row = i / BK;
    let column = i % BK;
    let x = select(vec4f(), loadA(firstRow + row, k + column), k + column < end);
    //#end
    //#for J in 0..4: tileA[row * PITCH_A + column + ${J}] = f16(x[${J}]);
  }
}

/// Brings BN columns of op(B), BK of k from `k` on, to tileB, with zeros from `end` on.
fn loadTileB(local: u32, firstColumn: u32, k: u32, end: u32) {
  for (var i = 4 * local; i < BN * BK; i += 4 * THREADS) {
    //#if TRANS_B
    let row = i / BK;
    let column = i % BK;
    let x = select(vec4f(), loadB(firstColumn + row, k + column), k + column < end);
    //#else
    let row = i / BN;
    let column = i % BN;
    let x = select(vec4f(), loadB(k + row, firstColumn + column), k + row < end);
    //#end
    //#for J in 0..4: tileB[row * PITCH_B + column + ${J}] = f16(x[${J}]);
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
) {
  let firstRow = group.y * BM;
  let firstColumn = group.x * BN;
  let begin = group.z * sizes.kSplit;
  let end = min(begin + sizes.kSplit, sizes.k);
  for (var firstPart = 0u; firstPart < PARTS; firstPart += subgroups) {
    let part = min(firstPart + subgroup, PARTS - 1);
    let partAtA = part / ACROSS * LEFTS * M * STEP_M;
    let partAtB = part % ACROSS * RIGHTS * N * STEP_N;
    //#for I in 0..LEFTS, J in 0..RIGHTS: var sum${I}_${J} = Result();
    for (var k = begin; k < end; k += BK) {
      loadTileA(local, firstRow, k, end);
      loadTileB(local, firstColumn, k, end);
      workgroupBarrier();
      //#for S in 0..32/K
      //#for J in 0..RIGHTS: let right${S}_${J} = loadRight(partAtB + ${J} * N * STEP_N + ${S} * K * STEP_KB);
      //#for I in 0..LEFTS
      let left${S}_${I} = loadLeft(partAtA + ${I} * M * STEP_M + ${S} * K * STEP_KA);
      //#for J in 0..RIGHTS: sum${I}_${J} = multiplyAdd(left${S}_${I}, right${S}_${J}, sum${I}_${J});
      //#end
      //#end for S
      //#if ROW_SUMS
      if (group.x == 0 && firstPart == 0) {
        for (var i = local; i < BM; i += THREADS) {
          for (var q = 0u; q < BK; q++) {
            sumsOfA[i] += f32(tileA[q * PITCH_A + i]);
          }
        }
      }
      //#end
      workgroupBarrier();
    }
    //#if ROW_SUMS
    if (group.x == 0 && firstPart == 0) {
      for (var i = local; i < BM; i += THREADS) {
        writeRowSum(group.z, firstRow + i, sumsOfA[i]);
      }
    }
    //#end
    //#for I in 0..LEFTS, J in 0..RIGHTS
    if (firstPart + subgroup < PARTS) {
      storeResult(part * M * N, sum${I}_${J});
    }
    workgroupBarrier();
    for (var i = 4 * local; i < PARTS * M * N; i += 4 * THREADS) {
      let made = i / (M * N);
      if (made >= firstPart && made < firstPart + subgroups) {
        let row = (made / ACROSS * LEFTS + ${I}) * M + i % (M * N) / N;
        let column = (made % ACROSS * RIGHTS + ${J}) * N + i % N;
        write(group.z, firstRow + row, firstColumn + column, vec4f(tileC[i], tileC[i + 1], tileC[i + 2], tileC[i + 3]));
      }
    }
    workgroupBarrier();
    //#end for I, J
  }
}
