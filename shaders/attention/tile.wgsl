// Better than register where invocations are many and workgroup memory is near, which is on GPUs: two products of tiles
// with a softmax between them. A workgroup takes HEADS pairs (b, h) and ROWS = TM·GROUPS query rows of each; keys and
// values come in tiles of KEYS = TN·COLUMNS, of which there may be one. COLUMNS invocations share TM rows, which are
// GROUPS apart: each makes the scores of these rows with TN keys, COLUMNS apart, and every COLUMNS-th vec4 of their
// results. It costs: two barriers for every STEP vec4 of channels, and for every PART·COLUMNS keys.
//
// What keeps the inner loops free of all but multiply-adds: an invocation's reads of workgroup memory are a base and
// constants. For scores, tileA has queries and tileB keys, [vec4 of channels][row], STEP of these at a time, in pitches
// two apart (mod 8), so that writes of neighbours meet different banks. For results, tileA has the probabilities of
// PART·COLUMNS keys, [key / 4][row], and tileB values, [key][vec4 of channels]. What an invocation moves is unrolled:
// rows and keys outside are moved to the last one, for what they give is not stored or has probability 0, and what would
// lie outside a tile is written behind it. Bounds of loops are constants and steps are one, so that Tint adds no guard
// against loops without end; what leaves them early follows from sizes, so that compilers do not unroll them whole.
//
// Bits: a score is one chain over channels, a result one over keys; a row's sum of probabilities is CHAINS chains, of
// keys that many apart. Where a sequence has several tiles, all is rescaled once a tile, so that KEYS decides bits. TM,
// GROUPS, HEADS, PART, STEP and UNROLL do not, nor does COLUMNS up to 16.
//
// HALF: qkv, out and their gradients are f16 in memory, which no other version knows; sums are f32. D is a multiple of
// 4, COLUMNS a multiple of STEP, and UNROLL divides STEP, D / 4 and PART·COLUMNS / 4.
//
// The tiles are those of FlashAttention-2 (Dao 2023); workgroup memory is laid out as in matmul/tile.wgsl.
//#use attention/common
//#param D: u32
//#param TM: u32
//#param TN: u32
//#param COLUMNS: u32
//#param GROUPS: u32
//#param HEADS: u32
//#param STEP: u32
//#param PART: u32
//#param UNROLL: u32
//#param HALF: bool
//#if HALF
//#enable f16
alias Four = vec4h;
//#else
alias Four = vec4f;
//#end

const CHUNKS = ${D / 4}u;
const TEAM = GROUPS * COLUMNS;
const ROWS = TM * GROUPS;
const KEYS = TN * COLUMNS;
const PITCH_A = (ROWS + 6) / 8 * 8 + 2;
const PITCH_B = (KEYS + 6) / 8 * 8 + 2;
const PITCH_V = CHUNKS + ${D / 4 % COLUMNS > 0};
const CHAINS = max(COLUMNS, 16u);
const SIZE_A = max(max(STEP, CHAINS / 4), PART * COLUMNS / 4) * PITCH_A;
const SIZE_B = max(STEP * PITCH_B, (PART * COLUMNS + 1) * PITCH_V);
const ENDLESS = 0x10000000u; // steps: more than there are of anything

var<workgroup> tileA: array<vec4f, HEADS * SIZE_A>;
var<workgroup> tileB: array<vec4f, HEADS * SIZE_B>;

/// A score: the product of a query and a key, scaled, and with its bias.
fn finishScore(product: f32, biasAt: u32) -> f32 {
  //#if BIAS
  return fma(product, sizes.scale, bias[biasAt]);
  //#else
  return product * sizes.scale;
  //#end
}

/// Where the bias of a query row begins.
fn biasRow(b: u32, h: u32, q: u32) -> u32 {
  return b * sizes.biasBatchStride + h * sizes.biasHeadStride + q * sizes.sequence;
}

/// The sum of a row's CHAINS chains, which lie in tileA from `at` on.
fn sumOfChains(at: u32) -> f32 {
  var sum = 0.0;
  for (var t = 0u; t < CHAINS / 4; t++) {
    let chains = tileA[at + t * PITCH_A];
    sum += (chains.x + chains.y) + (chains.z + chains.w);
  }
  return sum;
}

/// Turns of the loop over the keys of a part of a tile, of which `left` are there from the tile's first on.
fn turnsOf(left: u32, first: u32) -> u32 {
  return (min(PART * COLUMNS, max(left, first) - first) + 4 * UNROLL - 1) / (4 * UNROLL);
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
  let last = n - 1;
  let blocks = (n + ROWS - 1) / ROWS;
  let at = group.x + group.y * groups.x;
  let slot = local / TEAM;
  let member = local % TEAM;
  let column = member % COLUMNS;
  let row = member / COLUMNS;
  let pair = at / blocks * HEADS + slot;
  let owned = pair < sizes.batch * sizes.heads;
  let bh = min(pair, sizes.batch * sizes.heads - 1);
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * CHUNKS;
  let stride = 3 * width;
  let headAt = b * n * stride + h * CHUNKS;
  let q = at % blocks * ROWS;
  let atA = slot * SIZE_A;
  let atB = slot * SIZE_B;
  // Which rows and which vec4 of channels this invocation moves.
  let moved = member / STEP;
  let quarter = member % STEP;
  //#for F in 0..(TM*STEP+COLUMNS-1)/COLUMNS
  let toA${F} = atA + quarter * PITCH_A + min(moved + ${F} * (TEAM / STEP), ROWS);
  let fromA${F} = headAt + min(q + moved + ${F} * (TEAM / STEP), last) * stride + quarter;
  //#end
  //#for F in 0..(TN*STEP+GROUPS-1)/GROUPS
  let toB${F} = atB + quarter * PITCH_B + min(moved + ${F} * (TEAM / STEP), KEYS);
  //#end
  //#for I in 0..TM
  var largest${I} = NOTHING;
  //#for L in 0..16/COLUMNS+COLUMNS/32: var total${I}_${L} = 0.0;
  //#for V in 0..(D/4+COLUMNS-1)/COLUMNS: var o${I}_${V} = vec4f();
  //#end for I
  // Where the vec4 of results lie that this invocation makes, less the V·COLUMNS before; beyond the last is the last.
  //#for V in 0..(D/4+COLUMNS-1)/COLUMNS
  //#if (V + 1) * COLUMNS * 4 > D
  let place${V} = min(column, CHUNKS - 1 - ${V} * COLUMNS);
  //#else
  let place${V} = column;
  //#end
  //#end for V
  let steps = (sizes.channels + ${4 * STEP - 1}) / ${4 * STEP};
  for (var k = 0u; k < n; k += KEYS) {
    //#for F in 0..(TN*STEP+GROUPS-1)/GROUPS
    let fromB${F} = headAt + width + min(k + moved + ${F} * (TEAM / STEP), last) * stride + quarter;
    //#end
    //#for I in 0..TM, J in 0..TN: var s${I}_${J} = 0.0;
    for (var step = 0u; step < ENDLESS; step++) {
      if (step >= steps) { break; }
      //#for F in 0..(TM*STEP+COLUMNS-1)/COLUMNS: let moveA${F} = vec4f(qkv[fromA${F} + step * STEP]);
      //#for F in 0..(TN*STEP+GROUPS-1)/GROUPS: let moveB${F} = vec4f(qkv[fromB${F} + step * STEP]);
      workgroupBarrier();
      //#for F in 0..(TM*STEP+COLUMNS-1)/COLUMNS: tileA[toA${F}] = moveA${F};
      //#for F in 0..(TN*STEP+GROUPS-1)/GROUPS: tileB[toB${F}] = moveB${F};
      workgroupBarrier();
      let turns = min(STEP, CHUNKS - step * STEP) / UNROLL;
      for (var turn = 0u; turn < ENDLESS; turn++) {
        if (turn >= turns) { break; }
        let c = min(turn, STEP / UNROLL - 1) * UNROLL;
        //#for U in 0..UNROLL
        //#for J in 0..TN: let b${U}_${J} = tileB[atB + column + (c * PITCH_B + ${U} * PITCH_B + ${J} * COLUMNS)];
        //#for I in 0..TM
        let a${U}_${I} = tileA[atA + row + (c * PITCH_A + ${U} * PITCH_A + ${I} * GROUPS)];
        //#for R in 0..4, J in 0..TN: s${I}_${J} = fma(a${U}_${I}[${R}], b${U}_${J}[${R}], s${I}_${J});
        //#end for I
        //#end for U
      }
    }
    //#for J in 0..TN
    let k${J} = k + column + ${J} * COLUMNS;
    let open${J} = isOpen(b, k${J});
    //#end for J
    workgroupBarrier();
    //#for I in 0..TM
    var peak${I} = NOTHING;
    let biasAt${I} = biasRow(b, h, min(q + row + ${I} * GROUPS, last));
    //#for J in 0..TN
    s${I}_${J} = finishScore(s${I}_${J}, biasAt${I} + min(k${J}, last));
    peak${I} = max(peak${I}, select(NOTHING, s${I}_${J}, open${J}));
    //#end
    tileA[atA + column / 4 * PITCH_A + row + ${I} * GROUPS][column % 4] = peak${I};
    //#end for I
    workgroupBarrier();
    //#for I in 0..TM
    let before${I} = largest${I};
    //#for V in 0..COLUMNS/4
    let peaks${I}_${V} = tileA[atA + row + (${V} * PITCH_A + ${I} * GROUPS)];
    largest${I} = max(largest${I}, max(max(peaks${I}_${V}.x, peaks${I}_${V}.y), max(peaks${I}_${V}.z, peaks${I}_${V}.w)));
    //#end for V
    let shrink${I} = exp(before${I} - largest${I});
    //#for L in 0..16/COLUMNS+COLUMNS/32: total${I}_${L} *= shrink${I};
    //#for V in 0..(D/4+COLUMNS-1)/COLUMNS: o${I}_${V} *= shrink${I};
    //#for J in 0..TN
    s${I}_${J} = select(0.0, exp(s${I}_${J} - largest${I}), open${J});
    total${I}_${J % (16/COLUMNS+COLUMNS/32)} += s${I}_${J};
    //#end for J
    //#end for I
    let left = min(KEYS, n - k);
    //#for P in 0..(TN+PART-1)/PART
    {
      //#for F in 0..(PART*COLUMNS+GROUPS-1)/GROUPS
      let from${F} = headAt + 2 * width + min(k + row + ${P * PART * COLUMNS + F * GROUPS}, last) * stride;
      //#for V in 0..(D/4+COLUMNS-1)/COLUMNS: let move${F}_${V} = vec4f(qkv[from${F} + place${V} + ${V} * COLUMNS]);
      //#end for F
      workgroupBarrier();
      //#for J in P*PART..(P+1)*PART
      //#if J < TN
      //#for I in 0..TM
      tileA[atA + (column / 4 + ${J % PART} * COLUMNS / 4) * PITCH_A + row + ${I} * GROUPS][column % 4] = s${I}_${J};
      //#end
      //#else
      //#for I in 0..TM
      tileA[atA + (column / 4 + ${J % PART} * COLUMNS / 4) * PITCH_A + row + ${I} * GROUPS][column % 4] = 0.0;
      //#end
      //#end
      //#end for J
      //#for F in 0..(PART*COLUMNS+GROUPS-1)/GROUPS, V in 0..(D/4+COLUMNS-1)/COLUMNS
      tileB[atB + min(row + ${F} * GROUPS, PART * COLUMNS) * PITCH_V + min(column + ${V} * COLUMNS, CHUNKS)] = move${F}_${V};
      //#end
      workgroupBarrier();
      let turns = turnsOf(left, ${P * PART * COLUMNS});
      for (var turn = 0u; turn < ENDLESS; turn++) {
        if (turn >= turns) { break; }
        let t = min(turn, PART * COLUMNS / 4 / UNROLL - 1) * UNROLL;
        //#for U in 0..UNROLL
        //#for R in 0..4, V in 0..(D/4+COLUMNS-1)/COLUMNS
        let v${U}_${R}_${V} = tileB[atB + place${V} + (t * (4 * PITCH_V) + ${4 * U + R} * PITCH_V + ${V} * COLUMNS)];
        //#end
        //#for I in 0..TM
        let w${U}_${I} = tileA[atA + row + (t * PITCH_A + ${U} * PITCH_A + ${I} * GROUPS)];
        //#for R in 0..4, V in 0..(D/4+COLUMNS-1)/COLUMNS
        o${I}_${V} = fma(vec4f(w${U}_${I}[${R}]), v${U}_${R}_${V}, o${I}_${V});
        //#end
        //#end for I
        //#end for U
      }
    }
    //#end for P
  }
  workgroupBarrier();
  //#for I in 0..TM, L in 0..16/COLUMNS+COLUMNS/32
  tileA[atA + (column / 4 + ${L} * COLUMNS / 4) * PITCH_A + row + ${I} * GROUPS][column % 4] = total${I}_${L};
  //#end
  workgroupBarrier();
  //#for I in 0..TM
  let q${I} = q + row + ${I} * GROUPS;
  if (owned && q${I} < n) {
    let total = sumOfChains(atA + row + ${I} * GROUPS);
    let norm = select(0.0, 1.0 / total, total > 0.0);
    let outAt = (b * n + q${I}) * width + h * CHUNKS + column;
    //#for V in 0..(D/4+COLUMNS-1)/COLUMNS
    if (column + ${V} * COLUMNS < CHUNKS) { out[outAt + ${V} * COLUMNS] = Four(o${I}_${V} * norm); }
    //#end
    if (column == 0) { lse[bh * n + q${I}] = select(NOTHING, largest${I} + log(total), total > 0.0); }
  }
  //#end for I
}
