// muon: one step of Muon for the matrices that lie in a flat arena of parameters, those of one shape at a time.
//
//   U ← g + β1·(m − g)                                   g = clip · grad, m as adamw has just left it: Nesterov's momentum
//   Y ← U / ‖U‖,  then several times:  A ← Yᵀ·Y,  Q ← b·A + c·A²,  Y ← a·Y + Y·Q
//   p ← p · (1 − lr·decay) − lr·rate·Y                   Y is near to the orthogonal matrix that is nearest to U
//
// HALF: halves ← p, rounded to f16, in the same pass. SCALED: where norm says so, no weight is changed at all.
//
// Shapes   values, grads, m: flat, f32. places: [N] the first element of each matrix; a matrix lies there as [T, R], T ≥ R,
//          or, TRANSPOSED, as [R, T]. hyper and norm: as of adamw.
//          y: [N, T, R], tall whatever the matrix is: so that every product here reads its left factor by an index that
//          neighbours share, and its right one along a row.  A, Q: [N, R, R].
// Mapping  muonMomentum: a workgroup a matrix. muonProduct: an invocation makes 4 rows × 4 columns, these a quarter of the
//          width apart, so that neighbours take neighbouring columns. muonUpdate: one invocation an element.
// Source   Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024): momentum, Newton-Schulz, its
//          coefficients a, b, c, and the rate's √(outputs / inputs).

//#use reduce

//#kernel muonMomentum
//#param TRANSPOSED: bool
@group(0) @binding(0) var<storage, read> grads: array<f32>;
@group(0) @binding(1) var<storage, read> m: array<f32>;
@group(0) @binding(2) var<storage, read> places: array<u32>;
@group(0) @binding(3) var<storage, read> hyper: array<f32, 8>;
@group(0) @binding(4) var<storage, read> norm: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
struct Sizes { height: u32, width: u32 }
@group(0) @binding(6) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let count = sizes.height * sizes.width;
  let first = places[group.x];
  let base = group.x * count;
  var squares = 0.0;
  for (var i = local; i < count; i += WORKGROUP) {
    let g = norm[1] * grads[first + i];
    let u = g + hyper[3] * (m[first + i] - g);
    squares += u * u;
    //#if TRANSPOSED
    y[base + i % sizes.height * sizes.width + i / sizes.height] = u;
    //#else
    y[base + i] = u;
    //#end
  }
  let inverse = 1.0 / (sqrt(laneSum(local, WORKGROUP, squares)) + 1e-7);
  // An invocation scales what it wrote itself.
  for (var i = local; i < count; i += WORKGROUP) {
    //#if TRANSPOSED
    y[base + i % sizes.height * sizes.width + i / sizes.height] *= inverse;
    //#else
    y[base + i] *= inverse;
    //#end
  }
}

//#kernel muonProduct
// out[n] = before · base[n] + by · left[n]·right[n], or, GRAM, leftᵀ·right without a base.
//#param GRAM: bool
@group(0) @binding(0) var<storage, read> left: array<f32>;
@group(0) @binding(1) var<storage, read> right: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
struct Sizes { matrices: u32, height: u32, width: u32, depth: u32, before: f32, by: f32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;
//#if !GRAM
@group(0) @binding(4) var<storage, read> base: array<f32>;
//#end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let quarter = (sizes.width + 3u) / 4u;
  let strips = (sizes.height + 3u) / 4u;
  let i = id.x + id.y * groups.x * 64u;
  let matrix = i / quarter / strips;
  if (matrix >= sizes.matrices) { return; }
  let row = 4u * (i / quarter % strips);
  let column = i % quarter;
  let leftAt = matrix * sizes.height * sizes.depth;
  let rightAt = matrix * sizes.depth * sizes.width;
  // Places outside are moved to the edge: what they give is not stored.
  let columns = min(vec4u(column) + quarter * vec4u(0u, 1u, 2u, 3u), vec4u(sizes.width - 1u));
  let rows = min(vec4u(row) + vec4u(0u, 1u, 2u, 3u), vec4u(sizes.height - 1u));
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var k = 0u; k < sizes.depth; k++) {
    //#if GRAM
    let at = leftAt + k * sizes.height + rows;
    //#else
    let at = leftAt + rows * sizes.depth + k;
    //#end
    let source = rightAt + k * sizes.width + columns;
    let x = vec4f(left[at.x], left[at.y], left[at.z], left[at.w]);
    sum0 += x * right[source.x];
    sum1 += x * right[source.y];
    sum2 += x * right[source.z];
    sum3 += x * right[source.w];
  }
  let outAt = matrix * sizes.height * sizes.width + row * sizes.width + column;
  //#for C in 0..4
  //#for R in 0..4
  if (column + ${C}u * quarter < sizes.width && row + ${R}u < sizes.height) {
    let at = outAt + ${R}u * sizes.width + ${C}u * quarter;
    //#if GRAM
    out[at] = sum${C}[${R}];
    //#else
    out[at] = sizes.before * base[at] + sizes.by * sum${C}[${R}];
    //#end
  }
  //#end
  //#end
}

//#kernel muonUpdate
//#param TRANSPOSED: bool
//#param HALF: bool
//#param SCALED: bool
//#if HALF
//#enable f16
@group(0) @binding(6) var<storage, read_write> halves: array<f16>;
//#end
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read> hyper: array<f32, 8>;
@group(0) @binding(3) var<storage, read> norm: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
struct Sizes { matrices: u32, height: u32, width: u32, rate: f32, decay: f32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let count = sizes.height * sizes.width;
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.matrices * count) { return; }
  //#if SCALED
  if (norm[2] == 0.0) { return; }
  //#end
  let inside = i % count;
  let at = places[i / count] + inside;
  //#if TRANSPOSED
  let direction = y[i - inside + inside % sizes.height * sizes.width + inside / sizes.height];
  //#else
  let direction = y[i];
  //#end
  let value = values[at] - hyper[0] * (sizes.decay * values[at] + sizes.rate * direction);
  values[at] = value;
  //#if HALF
  halves[at] = f16(value);
  //#end
}
