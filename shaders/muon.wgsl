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
// Mapping  muonMomentum: a workgroup a matrix. muonProduct: an invocation makes TM rows (4 or 8) × TN columns, these the
//          width / TN apart, so that neighbours take neighbouring columns; each output is one sum over k in order, whatever
//          the tile or the kernel: muonPanel gives the same bits. muonUpdate: one invocation an element.
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
//#param TM: u32
//#param TN: u32
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
  let columns = (sizes.width + TN - 1u) / TN;
  let strips = (sizes.height + TM - 1u) / TM;
  let i = id.x + id.y * groups.x * 64u;
  let matrix = i / columns / strips;
  if (matrix >= sizes.matrices) { return; }
  let row = TM * (i / columns % strips);
  let column = i % columns;
  // Places outside are moved to the edge: what they give is not stored.
  //#for R in 0..TM
  //#if GRAM
  var left${R} = matrix * sizes.depth * sizes.height + min(row + ${R}u, sizes.height - 1u);
  //#else
  var left${R} = (matrix * sizes.height + min(row + ${R}u, sizes.height - 1u)) * sizes.depth;
  //#end
  //#end for R
  //#for C in 0..TN
  var right${C} = matrix * sizes.depth * sizes.width + min(column + ${C}u * columns, sizes.width - 1u);
  //#for Q in 0..TM/4: var sum${Q}_${C} = vec4f();
  //#end
  for (var k = 0u; k < sizes.depth; k++) {
    //#for Q in 0..TM/4
    let x${Q} = vec4f(left[left${4 * Q}], left[left${4 * Q + 1}], left[left${4 * Q + 2}], left[left${4 * Q + 3}]);
    //#end
    //#for R in 0..TM
    //#if GRAM
    left${R} += sizes.height;
    //#else
    left${R}++;
    //#end
    //#end for R
    //#for C in 0..TN
    let y${C} = right[right${C}];
    right${C} += sizes.width;
    //#for Q in 0..TM/4: sum${Q}_${C} = fma(x${Q}, vec4f(y${C}), sum${Q}_${C});
    //#end
  }
  let first = (matrix * sizes.height + row) * sizes.width + column;
  //#for C in 0..TN, R in 0..TM
  if (column + ${C}u * columns < sizes.width && row + ${R}u < sizes.height) {
    let at = first + ${R}u * sizes.width + ${C}u * columns;
    //#if GRAM
    out[at] = sum${R / 4}_${C}[${R % 4}];
    //#else
    out[at] = sizes.before * base[at] + sizes.by * sum${R / 4}_${C}[${R % 4}];
    //#end
  }
  //#end for C, R
}

//#kernel muonPanel
// The same for compilers that make each load from storage some 70 instructions and a multiplication with its sum 3
// (SwiftShader's): a workgroup of 4 makes up to 64 rows of 4·COLUMNS columns, DEPTH terms at a time. Its part of the right
// factor lies in private memory and is read by indices that the compiler knows; the sums of a row are values, not variables.
//#param GRAM: bool
//#param COLUMNS: u32
//#param DEPTH: u32
@group(0) @binding(0) var<storage, read> left: array<f32>;
@group(0) @binding(1) var<storage, read> right: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
struct Sizes { matrices: u32, height: u32, width: u32, depth: u32, before: f32, by: f32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;
//#if !GRAM
@group(0) @binding(4) var<storage, read> base: array<f32>;
//#end

const QUADS = COLUMNS / 4u;
const ROWS = 64u;
var<private> panel: array<vec4f, DEPTH * QUADS>;
var<private> sums: array<vec4f, ROWS * QUADS>;

@compute @workgroup_size(4)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let height = sizes.height;
  let width = sizes.width;
  let depth = sizes.depth;
  let across = (width + 4u * COLUMNS - 1u) / (4u * COLUMNS);
  let down = (height + ROWS - 1u) / ROWS;
  let at = group.x + group.y * groups.x;
  let matrix = at / across / down;
  if (matrix >= sizes.matrices) { return; }
  let firstRow = at / across % down * ROWS;
  let rows = min(ROWS, height - firstRow);
  let firstColumn = at % across * 4u * COLUMNS + local;
  let leftAt = matrix * height * depth;
  let rightAt = matrix * depth * width;
  // Places outside are moved to the edge: what they give is not stored.
  //#for C in 0..COLUMNS: let column${C} = rightAt + min(firstColumn + 4u * ${C}u, width - 1u);
  for (var begin = 0u; begin < depth; begin += DEPTH) {
    for (var q = 0u; q < DEPTH; q++) {
      // Terms beyond the end are zeros.
      let inside = f32(begin + q < depth);
      let source = min(begin + q, depth - 1u) * width;
      //#for D in 0..COLUMNS/4
      panel[q * QUADS + ${D}u] = inside * vec4f(
        right[source + column${4 * D}], right[source + column${4 * D + 1}],
        right[source + column${4 * D + 2}], right[source + column${4 * D + 3}],
      );
      //#end
    }
    for (var i = 0u; i < rows; i++) {
      //#if GRAM
      let row = leftAt + firstRow + i;
      //#else
      let row = leftAt + (firstRow + i) * depth;
      //#end
      //#for D in 0..COLUMNS/4: let sum0_${D} = sums[i * QUADS + ${D}u];
      //#for K in 0..DEPTH
      //#if GRAM
      let x${K} = vec4f(left[row + min(begin + ${K}u, depth - 1u) * height]);
      //#else
      let x${K} = vec4f(left[row + min(begin + ${K}u, depth - 1u)]);
      //#end
      //#for D in 0..COLUMNS/4: let sum${K + 1}_${D} = fma(x${K}, panel[${K * COLUMNS / 4 + D}], sum${K}_${D});
      //#end for K
      //#for D in 0..COLUMNS/4: sums[i * QUADS + ${D}u] = sum${DEPTH}_${D};
    }
  }
  for (var i = 0u; i < rows; i++) {
    let outAt = (matrix * height + firstRow + i) * width;
    //#for D in 0..COLUMNS/4
    let sum${D} = sums[i * QUADS + ${D}u];
    //#for J in 0..4
    let place${4 * D + J} = firstColumn + 4u * ${4 * D + J}u;
    if (place${4 * D + J} < width) {
      //#if GRAM
      out[outAt + place${4 * D + J}] = sum${D}[${J}];
      //#else
      out[outAt + place${4 * D + J}] = sizes.before * base[outAt + place${4 * D + J}] + sizes.by * sum${D}[${J}];
      //#end
    }
    //#end for J
    //#end for D
  }
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
