// weightedSum: the parts of a loss, put together by their weights.
//
//   forward     total (+)= Σ_i weights[i] · values[i], in the order of i; one dispatch a term, in the order of terms
//   gradient    dValues[i] (+)= dTotal · weights[i]
//
// Shapes   values, weights, dValues: [count], a few;  total, dTotal: [1].
// Mapping  forward: one invocation. gradient: one invocation an element.

//#kernel weightedSumTerm
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: array<f32>;
struct Sizes { count: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(1)
fn main() {
  var sum = 0.0;
  for (var i = 0u; i < sizes.count; i++) { sum += weights[i] * values[i]; }
  //#if ACCUMULATE
  total[0] += sum;
  //#else
  total[0] = sum;
  //#end
}

//#kernel weightedSumGradient
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> weights: array<f32>;
@group(0) @binding(1) var<storage, read> dTotal: array<f32>;
@group(0) @binding(2) var<storage, read_write> dValues: array<f32>;
struct Sizes { count: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.count) { return; }
  let value = dTotal[0] * weights[id.x];
  //#if ACCUMULATE
  dValues[id.x] += value;
  //#else
  dValues[id.x] = value;
  //#end
}
