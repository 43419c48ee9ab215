// Backward of tile.wgsl for queries, by its mapping: two products of tiles make scores and the gradients of
// probabilities, a third the gradients of queries. delta is CHAINS sums as well, of vec4 of channels that many apart.
//#use attention/tile

//#kernel attentionBackwardQ
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<Four>;
@group(0) @binding(2) var<storage, read> out: array<Four>;
@group(0) @binding(3) var<storage, read> dout: array<Four>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Four>;
//#if KEY_MASK
@group(0) @binding(7) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(8) var<storage, read> bias: array<f32>;
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
  let outHeadAt = b * n * width + h * CHUNKS;
  let q = at % blocks * ROWS;
  let atA = slot * SIZE_A;
  let atB = slot * SIZE_B;
  let moved = member / STEP;
  let quarter = member % STEP;
  //#for F in 0..(TM*STEP+COLUMNS-1)/COLUMNS
  let toA${F} = atA + quarter * PITCH_A + min(moved + ${F} * (TEAM / STEP), ROWS);
  let rowA${F} = min(q + moved + ${F} * (TEAM / STEP), last);
  let fromA0_${F} = headAt + rowA${F} * stride + quarter;
  let fromA1_${F} = outHeadAt + rowA${F} * width + quarter;
  //#end for F
  //#for F in 0..(TN*STEP+GROUPS-1)/GROUPS
  let toB${F} = atB + quarter * PITCH_B + min(moved + ${F} * (TEAM / STEP), KEYS);
  //#end
  //#for V in 0..(D/4+COLUMNS-1)/COLUMNS
  //#if (V + 1) * COLUMNS * 4 > D
  let place${V} = min(column, CHUNKS - 1 - ${V} * COLUMNS);
  //#else
  let place${V} = column;
  //#end
  //#end for V
  //#for I in 0..TM
  let q${I} = min(q + row + ${I} * GROUPS, last);
  let outAt${I} = outHeadAt + q${I} * width;
  let lse${I} = lse[bh * n + q${I}];
  //#for L in 0..16/COLUMNS+COLUMNS/32: var part${I}_${L} = 0.0;
  //#for V in 0..(D/4+COLUMNS-1)/COLUMNS
  if (column + ${V} * COLUMNS < CHUNKS) {
    let at${V} = outAt${I} + place${V} + ${V} * COLUMNS;
    part${I}_${V % (16/COLUMNS+COLUMNS/32)} += dot(vec4f(dout[at${V}]), vec4f(out[at${V}]));
  }
  var dq${I}_${V} = vec4f();
  //#end for V
  //#for L in 0..16/COLUMNS+COLUMNS/32
  tileA[atA + (column / 4 + ${L} * COLUMNS / 4) * PITCH_A + row + ${I} * GROUPS][column % 4] = part${I}_${L};
  //#end
  //#end for I
  workgroupBarrier();
  //#for I in 0..TM: let delta${I} = sumOfChains(atA + row + ${I} * GROUPS);
  let steps = (sizes.channels + ${4 * STEP - 1}) / ${4 * STEP};
  for (var k = 0u; k < n; k += KEYS) {
    // Scores, then gradients of probabilities.
    //#for P in 0..2
    //#for F in 0..(TN*STEP+GROUPS-1)/GROUPS
    let fromB${P}_${F} = headAt + ${P + 1} * width + min(k + moved + ${F} * (TEAM / STEP), last) * stride + quarter;
    //#end
    //#for I in 0..TM, J in 0..TN: var s${P}_${I}_${J} = 0.0;
    for (var step = 0u; step < ENDLESS; step++) {
      if (step >= steps) { break; }
      //#for F in 0..(TM*STEP+COLUMNS-1)/COLUMNS
      //#if P
      let moveA${F} = vec4f(dout[fromA1_${F} + step * STEP]);
      //#else
      let moveA${F} = vec4f(qkv[fromA0_${F} + step * STEP]);
      //#end
      //#end for F
      //#for F in 0..(TN*STEP+GROUPS-1)/GROUPS: let moveB${F} = vec4f(qkv[fromB${P}_${F} + step * STEP]);
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
        //#for R in 0..4, J in 0..TN: s${P}_${I}_${J} = fma(a${U}_${I}[${R}], b${U}_${J}[${R}], s${P}_${I}_${J});
        //#end for I
        //#end for U
      }
    }
    //#if P == 0
    //#for J in 0..TN
    let k${J} = k + column + ${J} * COLUMNS;
    let open${J} = isOpen(b, k${J});
    //#end for J
    //#for I in 0..TM
    let biasAt${I} = biasRow(b, h, q${I});
    //#for J in 0..TN
    s0_${I}_${J} = finishScore(s0_${I}_${J}, biasAt${I} + min(k${J}, last));
    s0_${I}_${J} = select(0.0, exp(s0_${I}_${J} - lse${I}), open${J});
    //#end for J
    //#end for I
    //#end if P == 0
    //#end for P
    //#for I in 0..TM, J in 0..TN: s0_${I}_${J} *= (s1_${I}_${J} - delta${I}) * sizes.scale;
    let left = min(KEYS, n - k);
    //#for P in 0..(TN+PART-1)/PART
    {
      //#for F in 0..(PART*COLUMNS+GROUPS-1)/GROUPS
      let from${F} = headAt + width + min(k + row + ${P * PART * COLUMNS + F * GROUPS}, last) * stride;
      //#for V in 0..(D/4+COLUMNS-1)/COLUMNS: let move${F}_${V} = vec4f(qkv[from${F} + place${V} + ${V} * COLUMNS]);
      //#end for F
      workgroupBarrier();
      //#for J in P*PART..(P+1)*PART
      //#if J < TN
      //#for I in 0..TM
      tileA[atA + (column / 4 + ${J % PART} * COLUMNS / 4) * PITCH_A + row + ${I} * GROUPS][column % 4] = s0_${I}_${J};
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
        dq${I}_${V} = fma(vec4f(w${U}_${I}[${R}]), v${U}_${R}_${V}, dq${I}_${V});
        //#end
        //#end for I
        //#end for U
      }
    }
    //#end for P
  }
  //#for I in 0..TM
  if (owned && q + row + ${I} * GROUPS < n) {
    //#for V in 0..(D/4+COLUMNS-1)/COLUMNS
    if (column + ${V} * COLUMNS < CHUNKS) { dqkv[headAt + q${I} * stride + column + ${V} * COLUMNS] = Four(dq${I}_${V}); }
    //#end
    if (column == 0) { delta[bh * n + q${I}] = delta${I}; }
  }
  //#end for I
}
