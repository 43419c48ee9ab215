/**
 * Stands in for the head `shaders/subgroupMatrix.wgsl` where there are no matrix units, so that the very text
 * of a kernel runs on any device with f16 and subgroups of four or more. A factor is a place in a tile, which the kernel
 * leaves as it is until the product is made; of a result, an invocation holds every n-th element, in a subgroup of n.
 */
export const emulatedMatrix = `
//#enable f16
//#enable subgroups
struct Left { at: u32 }
struct Right { at: u32 }
struct Result { elements: array<f32, M * N / 4> }

fn loadLeft(at: u32) -> Left { return Left(at); }
fn loadRight(at: u32) -> Right { return Right(at); }

fn leftElement(left: Left, i: u32, k: u32) -> f32 {
//#if TRANS_A
  return f32(tileA[left.at + k * PITCH_A + i]);
//#else
  return f32(tileA[left.at + i * PITCH_A + k]);
//#end
}

fn rightElement(right: Right, k: u32, j: u32) -> f32 {
//#if TRANS_B
  return f32(tileB[right.at + j * PITCH_B + k]);
//#else
  return f32(tileB[right.at + k * PITCH_B + j]);
//#end
}

// As large as it says, but a bound that compilers do not unroll by.
fn bound(size: u32) -> u32 { return select(0u, size, sizes.k > 0u); }

fn multiplyAdd(left: Left, right: Right, sum: Result) -> Result {
  var result = sum;
  let lanes = subgroupAdd(1u);
  var e = 0u;
  for (var i = subgroupExclusiveAdd(1u); i < bound(M * N); i += lanes) {
    var element = result.elements[e];
    for (var k = 0u; k < bound(K); k++) { element += leftElement(left, i / N, k) * rightElement(right, k, i % N); }
    result.elements[e] = element;
    e++;
  }
  return result;
}

fn storeResult(at: u32, sum: Result) {
  var result = sum;
  let lanes = subgroupAdd(1u);
  var e = 0u;
  for (var i = subgroupExclusiveAdd(1u); i < bound(M * N); i += lanes) {
    tileC[at + i] = result.elements[e];
    e++;
  }
}
`;
