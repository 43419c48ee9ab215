// Better than register where invocations are many and workgroup memory is near, which is on GPUs: what a workgroup
// loads of A and B serves all its invocations. A workgroup makes a BM × BN tile of C from BM × 16 of A and 16 × BN of B
// at a time; an invocation TM × TN of it. It costs: two barriers for every 16 k, and large tiles leave a GPU idle where
// C is small, so that there k is split over the grid's z.
//
// What keeps the loop over k free of all but multiply-adds: an invocation moves the same few vec4f in every step,
// unrolled. Their addresses are made before the loop, so that a load is one addition; rows and columns outside are moved
// to the edge, since what they give is not stored; places in workgroup memory are a base and constants. TAIL: k is no
// multiple of 16, and its last step takes zeros for what lies behind the end. The loop's bound is a constant and its
// step is one, so that Tint adds no guard against loops without end.
//
// Nothing is transposed on the way in. An operand whose k is contiguous in storage lies k-packed in workgroup memory,
// [quarter of the step][row] of vec4f, with quarters of A two vec4f apart (mod 8), so that writes of neighbours meet
// different banks; columns of B with equal remainder mod 4 lie together, since an invocation's columns are fours of
// neighbours. Else it lies n- or m-packed: [k][row / 4]. An invocation's rows are BM/TM apart, its fours BN/4 × 4/TN.
//
// The layouts in workgroup memory and the moved edges are those of the register tiles of CUTLASS' SIMT GEMM
// (https://github.com/NVIDIA/cutlass) in WebGPU's terms.
//#use matmul/common

//#kernel matmulTile
//#narrow
//#param BM: u32
//#param BN: u32
//#param TM: u32
//#param TN: u32
//#param TAIL: bool
const X = BN / TN;
const Y = BM / TM;
const THREADS = X * Y;
const ENDLESS = 0x10000000u; // steps of 16: more than any k has

//#if TRANS_A
const PITCH_A = BM / 4;
var<workgroup> tileA: array<vec4f, BM * 4>;
//#else
const PITCH_A = BM + 2;
var<workgroup> tileA: array<vec4f, 4 * PITCH_A>;
//#end
//#if TRANS_B
const QUARTER_B = BN / 4 + 1;
const PITCH_B = BN + 10;
var<workgroup> tileB: array<vec4f, 4 * PITCH_B>;
//#else
const PITCH_B = BN / 4;
var<workgroup> tileB: array<vec4f, BN * 4>;
//#end

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let x = local % X;
  let y = local / X;
  let firstRow = group.y * BM;
  let firstColumn = group.x * BN;
  let begin = group.z * sizes.kSplit;
  let end = min(begin + sizes.kSplit, sizes.k);
  // Which of A and B this invocation moves in a step: rows and columns as they are stored, k counted from the step's.
  //#if TRANS_A
  let kOfA = local / PITCH_A;
  let columnOfA = firstRow + 4 * (local % PITCH_A);
  let toA = local;
  //#else
  let kOfA = local % 4 * 4;
  let rowOfA = firstRow + local / 4;
  let toA = local % 4 * PITCH_A + local / 4;
  //#end
  //#if TRANS_B
  let kOfB = local % 4 * 4;
  let rowOfB = firstColumn + local / 4;
  let toB = local % 4 * PITCH_B + local / 4 % 4 * QUARTER_B + local / 16;
  //#else
  let kOfB = local / PITCH_B;
  let columnOfB = firstColumn + 4 * (local % PITCH_B);
  let toB = local;
  //#end
  //#if VEC
  // Addresses of the first step's, and how far a step goes.
  //#if TRANS_A
  let strideA = sizes.m / 4;
  let fromA = (begin + kOfA) * strideA + min(columnOfA / 4, strideA - 1);
  let hopA = 16 * strideA;
  //#else
  let strideA = sizes.k / 4;
  //#for S in 0..BM*4/(BM/TM*(BN/TN)): let fromA${S} = min(rowOfA + ${S} * (THREADS / 4), sizes.m - 1) * strideA + (begin + kOfA) / 4;
  let hopA = 4u;
  //#end
  //#if TRANS_B
  let strideB = sizes.k / 4;
  //#for S in 0..BN*4/(BM/TM*(BN/TN)): let fromB${S} = min(rowOfB + ${S} * (THREADS / 4), sizes.n - 1) * strideB + (begin + kOfB) / 4;
  let hopB = 4u;
  //#else
  let strideB = sizes.n / 4;
  let fromB = (begin + kOfB) * strideB + min(columnOfB / 4, strideB - 1);
  let hopB = 16 * strideB;
  //#end
  var atA = 0u;
  var atB = 0u;
  //#end if VEC
  //#for I in 0..TM, J in 0..TN/4: var sum${I}_${J} = vec4f();
  //#if ROW_SUMS
  var sumA = vec4f();
  //#end
  let steps = (end - begin + 15) / 16;
  for (var step = 0u; step < ENDLESS; step++) {
    if (step >= steps) { break; }
    //#if VEC
    //#for S in 0..BM*4/(BM/TM*(BN/TN))
    //#if TRANS_A
    var moveA${S} = vec4f(a[fromA + (atA + ${S} * (THREADS / PITCH_A) * strideA)]);
    //#else
    var moveA${S} = vec4f(a[fromA${S} + atA]);
    //#end
    //#end for S
    //#for S in 0..BN*4/(BM/TM*(BN/TN))
    //#if TRANS_B
    var moveB${S} = vec4f(b[fromB${S} + atB]);
    //#else
    var moveB${S} = vec4f(b[fromB + (atB + ${S} * (THREADS / PITCH_B) * strideB)]);
    //#end
    //#end for S
    atA += hopA;
    atB += hopB;
    //#if TAIL
    let left = end - begin - 16 * step;
    //#for S in 0..BM*4/(BM/TM*(BN/TN)): moveA${S} = select(vec4f(), moveA${S}, kOfA + ${TRANS_A} * ${S} * (THREADS / PITCH_A) < left);
    //#for S in 0..BN*4/(BM/TM*(BN/TN)): moveB${S} = select(vec4f(), moveB${S}, kOfB + ${!TRANS_B} * ${S} * (THREADS / PITCH_B) < left);
    //#end
    //#else
    let k = begin + 16 * step;
    //#for S in 0..BM*4/(BM/TM*(BN/TN))
    //#if TRANS_A
    let moveA${S} = loadA(k + kOfA + ${S} * (THREADS / PITCH_A), columnOfA);
    //#else
    let moveA${S} = loadA(rowOfA + ${S} * (THREADS / 4), k + kOfA);
    //#end
    //#end for S
    //#for S in 0..BN*4/(BM/TM*(BN/TN))
    //#if TRANS_B
    let moveB${S} = loadB(rowOfB + ${S} * (THREADS / 4), k + kOfB);
    //#else
    let moveB${S} = loadB(k + kOfB + ${S} * (THREADS / PITCH_B), columnOfB);
    //#end
    //#end for S
    //#end if VEC
    workgroupBarrier();
    //#for S in 0..BM*4/(BM/TM*(BN/TN))
    //#if TRANS_A
    tileA[toA + ${S} * THREADS] = moveA${S};
    //#else
    tileA[toA + ${S} * (THREADS / 4)] = moveA${S};
    //#end
    //#end for S
    //#for S in 0..BN*4/(BM/TM*(BN/TN))
    //#if TRANS_B
    tileB[toB + ${S} * (THREADS / 16)] = moveB${S};
    //#else
    tileB[toB + ${S} * THREADS] = moveB${S};
    //#end
    //#end for S
    workgroupBarrier();
    for (var q = 0u; q < 4; q++) {
      //#for J in 0..TN/4
      //#if TRANS_B
      //#for R in 0..4: let t${J}_${R} = tileB[x + (q * PITCH_B + ${R} * QUARTER_B + ${J} * X)];
      //#for R in 0..4: let b${R}_${J} = vec4f(t${J}_0[${R}], t${J}_1[${R}], t${J}_2[${R}], t${J}_3[${R}]);
      //#else
      //#for R in 0..4: let b${R}_${J} = tileB[x + ((4 * q + ${R}) * PITCH_B + ${J} * X)];
      //#end
      //#end for J
      //#if TRANS_A
      //#for R in 0..4
      //#for I in 0..TM/4: let a${R}_${I} = tileA[y + ((4 * q + ${R}) * PITCH_A + ${I} * Y)];
      //#for I in 0..TM, J in 0..TN/4: sum${I}_${J} = fma(vec4f(a${R}_${I / 4}[${I % 4}]), b${R}_${J}, sum${I}_${J});
      //#end for R
      //#else
      //#for I in 0..TM
      let a${I} = tileA[y + (q * PITCH_A + ${I} * Y)];
      //#for R in 0..4, J in 0..TN/4: sum${I}_${J} = fma(vec4f(a${I}[${R}]), b${R}_${J}, sum${I}_${J});
      //#end for I
      //#end if TRANS_A
    }
    //#if ROW_SUMS
    if (group.x == 0 && local < PITCH_A) {
      for (var q = 0u; q < 16; q++) {
        sumA += tileA[q * PITCH_A + local];
      }
    }
    //#end
  }
  //#if ROW_SUMS
  if (group.x == 0 && local < PITCH_A) {
    //#for J in 0..4: writeRowSum(group.z, firstRow + 4 * local + ${J}, sumA[${J}]);
  }
  //#end
  //#for I in 0..TM, J in 0..TN/4
  //#if TRANS_A
  write(group.z, firstRow + 4 * (${I / 4} * Y + y) + ${I % 4}, firstColumn + 4 * (${J} * X + x), sum${I}_${J});
  //#else
  write(group.z, firstRow + ${I} * Y + y, firstColumn + 4 * (${J} * X + x), sum${I}_${J});
  //#end
  //#end for I, J
}
