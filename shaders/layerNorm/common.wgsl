// layerNorm: normalises each row to mean 0 and variance 1, then scales and shifts it.
//
//   forward         y = (x − mean) · rstd · γ + β,   rstd = 1 / sqrt(var + ε),   var biased (÷ D), in two passes
//   backward        x̂ = (x − mean) · rstd,  g = dy · γ
//                   dx = rstd · (g − mean(g) − x̂ · mean(g · x̂))
//   parameters      dγ = Σ_rows dy · x̂,   dβ = Σ_rows dy
//
// RMS      RMSNorm: as if mean were 0, so that var is the mean square, and mean(g) is left out. WEIGHT, BIAS: whether there
//          is a γ, a β; else 1 and 0.
// HALF     y and dy are f16: what a matrix product reads, and what it gives back. All that is computed is f32.
// Shapes   x, y, dy, dx: [rows, D];  γ, β, dγ, dβ: [D];  mean, rstd: [rows];  partials: [blocks, 2, D].
// Source   Ba, Kiros, Hinton: Layer Normalization (2016); Zhang and Sennrich: Root Mean Square Layer
//          Normalization (2019); two-pass variance, as E[x²] − E[x]² cancels.
//
// The ladder, a file a version:
//
//   plain    layerNorm*        the reference, for any D; software adapters, whose rows are an invocation's
//   cells    layerNormCells*   rows of whole cells of four, which stay in registers; dx, dγ and dβ in one pass: GPUs
//
// Which of them runs says src/ops/layerNorm.ts.
