// subgroupMatrix: products of small matrices that a subgroup makes at once, C[M, N] = A[M, K]·B[K, N] + C, A and B in f16, C in
// f32. It calls things as Dawn's experiment does (chromium_experimental_subgroup_matrix), for a proposal to WebGPU.
//
// A head: the kernel has parameters M, N, K, TRANS_A and TRANS_B (its matrices lie in memory transposed), and in workgroup
// memory tileA and tileB (f16), tileC (f32), whose rows are PITCH_A, PITCH_B and N long. All invocations of a subgroup take
// part in a matrix.

//#enable f16
//#enable subgroups
//#enable subgroupMatrix
alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Result = subgroup_matrix_result<f32, N, M>;

fn loadLeft(at: u32) -> Left {
  //#if TRANS_A
  return subgroupMatrixLoad<Left, col_major>(&tileA, at, PITCH_A);
  //#else
  return subgroupMatrixLoad<Left, row_major>(&tileA, at, PITCH_A);
  //#end
}

fn loadRight(at: u32) -> Right {
  //#if TRANS_B
  return subgroupMatrixLoad<Right, col_major>(&tileB, at, PITCH_B);
  //#else
  return subgroupMatrixLoad<Right, row_major>(&tileB, at, PITCH_B);
  //#end
}

fn multiplyAdd(left: Left, right: Right, sum: Result) -> Result {
  return subgroupMatrixMultiplyAccumulate(left, right, sum);
}

fn storeResult(at: u32, sum: Result) {
  subgroupMatrixStore<row_major>(&tileC, at, sum, N);
}
