/**
 * Stands in for the head `subgroupMatrix` of `src/gpu/subgroupMatrix.ts` where there are no matrix units: every invocation of a
 * subgroup holds whole matrices and makes the whole product, so that the very text of a kernel runs on any device with f16.
 */
export const emulatedMatrix = `
//#enable f16
//#enable subgroups
struct Left { elements: array<f32, M * K> }
struct Right { elements: array<f32, K * N> }
struct Result { elements: array<f32, M * N> }

fn loadLeft(at: u32) -> Left {
  var matrix: Left;
  for (var i = 0u; i < M * K; i++) {
//#if TRANS_A
    matrix.elements[i] = f32(tileA[at + i % K * PITCH_A + i / K]);
//#else
    matrix.elements[i] = f32(tileA[at + i / K * PITCH_A + i % K]);
//#end
  }
  return matrix;
}

fn loadRight(at: u32) -> Right {
  var matrix: Right;
  for (var i = 0u; i < K * N; i++) {
//#if TRANS_B
    matrix.elements[i] = f32(tileB[at + i % N * PITCH_B + i / N]);
//#else
    matrix.elements[i] = f32(tileB[at + i / N * PITCH_B + i % N]);
//#end
  }
  return matrix;
}

fn multiplyAdd(left: Left, right: Right, sum: Result) -> Result {
  var matrix = sum;
  for (var i = 0u; i < M * N; i++) {
    for (var k = 0u; k < K; k++) {
      matrix.elements[i] += left.elements[i / N * K + k] * right.elements[k * N + i % N];
    }
  }
  return matrix;
}

fn storeResult(at: u32, sum: Result) {
  if (subgroupElect()) {
    for (var i = 0u; i < M * N; i++) { tileC[at + i] = sum.elements[i]; }
  }
}
`;
