// Better than register where invocations are many and workgroup memory is near, which is on GPUs: a workgroup takes
// HEADS pairs (b, h) and 4·GROUPS query rows of each; keys and values come through workgroup memory, ACROSS at a time.
// An invocation makes the scores of 4 rows with every COLUMNS-th key and the channels of those 4 rows in every
// COLUMNS-th vec4; COLUMNS invocations share a row and exchange its maximum, probabilities and sum. It costs: barriers,
// four for every ACROSS keys. D must be a multiple of 4.
//
// HALF: qkv, out and their gradients are f16 in memory, which no other version knows; sums are f32.
//#use attention/common
//#param D: u32
//#param COLUMNS: u32
//#param GROUPS: u32
//#param ACROSS: u32
//#param HEADS: u32
//#param HALF: bool
//#if HALF
//#enable f16
alias Four = vec4h;
//#else
alias Four = vec4f;
//#end

const CHUNKS = ${D / 4}u;
// Odd, so that neighbouring rows of a tile start in different banks.
const PITCH = ${D / 8 * 2 + 1}u;
const ROWS = 4u * GROUPS;
const TEAM = COLUMNS * GROUPS;

var<workgroup> tileA: array<vec4f, ${HEADS * ACROSS * (D / 8 * 2 + 1)}>;
var<workgroup> tileB: array<vec4f, ${HEADS * ACROSS * (D / 8 * 2 + 1)}>;
var<workgroup> weights: array<f32, ${HEADS * 4 * GROUPS * (ACROSS + 1)}>;
var<workgroup> parts: array<f32, ${HEADS * 4 * GROUPS * COLUMNS}>;

/// The invocations of a head bring rows of its keys, from qkv[at] on, to tileA, and those of its values to tileB.
fn loadKeysAndValues(member: u32, tileAt: u32, at: u32, rows: u32) {
  let width = sizes.heads * CHUNKS;
  for (var e = member; e < rows * CHUNKS; e += TEAM) {
    let rowAt = at + e / CHUNKS * 3u * width + e % CHUNKS;
    tileA[tileAt + e / CHUNKS * PITCH + e % CHUNKS] = vec4f(qkv[rowAt]);
    tileB[tileAt + e / CHUNKS * PITCH + e % CHUNKS] = vec4f(qkv[rowAt + width]);
  }
}

/// Where the bias of a query row begins.
fn biasRow(b: u32, h: u32, q: u32) -> u32 {
  return b * sizes.biasBatchStride + h * sizes.biasHeadStride + q * sizes.sequence;
}

/// A score: the product of a query and a key, scaled, and with its bias.
fn finishScore(product: f32, biasAt: u32) -> f32 {
  //#if BIAS
  return product * sizes.scale + bias[biasAt];
  //#else
  return product * sizes.scale;
  //#end
}

/// The sum of what the invocations of a row left in `parts`.
fn sumOfParts(partAt: u32) -> f32 {
  var sum = 0.0;
  for (var t = 0u; t < COLUMNS; t++) { sum += parts[partAt + t]; }
  return sum;
}

//#kernel attentionForward
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<Four>;
@group(0) @binding(2) var<storage, read_write> out: array<Four>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
//#if KEY_MASK
@group(0) @binding(4) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(5) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(${HEADS * GROUPS * COLUMNS})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let n = sizes.sequence;
  // CHUNKS, but a bound that compilers do not unroll by.
  let chunks = sizes.channels / 4u;
  let blocks = (n + ROWS - 1u) / ROWS;
  let at = group.x + group.y * groups.x;
  let slot = local / TEAM;
  let member = local % TEAM;
  let column = local % COLUMNS;
  let row = member / COLUMNS * 4u;
  let pair = at / blocks * HEADS + slot;
  let owned = pair < sizes.batch * sizes.heads;
  let bh = min(pair, sizes.batch * sizes.heads - 1u);
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * CHUNKS;
  let stride = 3u * width;
  let headAt = b * n * stride + h * CHUNKS;
  let outHeadAt = b * n * width + h * CHUNKS;
  let last = n - 1u;
  let q = at % blocks * ROWS + row;
  let tileAt = slot * ACROSS * PITCH;
  let weightAt = (slot * ROWS + row) * (ACROSS + 1u);
  let partAt = (slot * ROWS + row) * COLUMNS;
  //#for i in 0..4
  let q${i} = min(q + ${i}u, last);
  let queryAt${i} = headAt + q${i} * stride;
  var largest${i} = NOTHING;
  var total${i} = 0.0;
  //#for c in 0..(D/4+COLUMNS-1)/COLUMNS: var o${i}_${c} = vec4f();
  //#end
  for (var k = 0u; k < n; k += ACROSS) {
    let present = min(ACROSS, n - k);
    loadKeysAndValues(member, tileAt, headAt + width + k * stride, present);
    workgroupBarrier();
    //#for j in 0..ACROSS/COLUMNS
    let k${j} = k + column + ${j * COLUMNS}u;
    let open${j} = isOpen(b, k${j});
    //#end
    //#for i in 0..4, j in 0..ACROSS/COLUMNS: var s${i}_${j} = 0.0;
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..ACROSS/COLUMNS: let key${j} = tileA[tileAt + (column + ${j * COLUMNS}u) * PITCH + c];
      //#for i in 0..4
      let query${i} = vec4f(qkv[queryAt${i} + c]);
      //#for j in 0..ACROSS/COLUMNS: s${i}_${j} += dot(query${i}, key${j});
      //#end
    }
    //#for i in 0..4
    var peak${i} = NOTHING;
    let biasAt${i} = biasRow(b, h, q${i});
    //#for j in 0..ACROSS/COLUMNS
    s${i}_${j} = finishScore(s${i}_${j}, biasAt${i} + min(k${j}, last));
    peak${i} = max(peak${i}, select(NOTHING, s${i}_${j}, open${j}));
    //#end
    parts[partAt + ${i}u * COLUMNS + column] = peak${i};
    //#end for i
    workgroupBarrier();
    //#for i in 0..4
    let before${i} = largest${i};
    for (var t = 0u; t < COLUMNS; t++) { largest${i} = max(largest${i}, parts[partAt + ${i}u * COLUMNS + t]); }
    let shrink${i} = exp(before${i} - largest${i});
    total${i} *= shrink${i};
    //#for c in 0..(D/4+COLUMNS-1)/COLUMNS: o${i}_${c} *= shrink${i};
    //#for j in 0..ACROSS/COLUMNS
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - largest${i}), open${j});
    total${i} += p${i}_${j};
    weights[weightAt + ${i}u * (ACROSS + 1u) + column + ${j * COLUMNS}u] = p${i}_${j};
    //#end
    //#end for i
    workgroupBarrier();
    for (var j = 0u; j < present; j++) {
      //#for i in 0..4: let p${i} = weights[weightAt + ${i}u * (ACROSS + 1u) + j];
      //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
      let value${c} = tileB[tileAt + j * PITCH + min(column + ${c * COLUMNS}u, CHUNKS - 1u)];
      //#for i in 0..4: o${i}_${c} += p${i} * value${c};
      //#end
    }
    workgroupBarrier();
  }
  //#for i in 0..4: parts[partAt + ${i}u * COLUMNS + column] = total${i};
  workgroupBarrier();
  //#for i in 0..4
  if (owned && q + ${i}u < n) {
    let total = sumOfParts(partAt + ${i}u * COLUMNS);
    let norm = select(0.0, 1.0 / total, total > 0.0);
    let outAt = outHeadAt + q${i} * width + column;
    //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
    if (column + ${c * COLUMNS}u < CHUNKS) { out[outAt + ${c * COLUMNS}u] = Four(o${i}_${c} * norm); }
    //#end
    if (column == 0u) { lse[bh * n + q${i}] = select(NOTHING, largest${i} + log(total), total > 0.0); }
  }
  //#end for i
}
