// Backward of tile.wgsl for keys and values, by its mapping with queries and keys in each other's place: a workgroup
// owns rows of keys and values, and queries and gradients of results come in tiles. Two products of tiles make scores
// and the gradients of probabilities, two more the gradients of values and keys.
//#use attention/tile

//#kernel attentionBackwardKV
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<Four>;
@group(0) @binding(2) var<storage, read> dout: array<Four>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<Four>;
//#if KEY_MASK
@group(0) @binding(6) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(7) var<storage, read> bias: array<f32>;
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
  let k = at % blocks * ROWS;
  let atA = slot * SIZE_A;
  let atB = slot * SIZE_B;
  let moved = member / STEP;
  let quarter = member % STEP;
  //#for F in 0..(TM*STEP+COLUMNS-1)/COLUMNS
  let toA${F} = atA + quarter * PITCH_A + min(moved + ${F} * (TEAM / STEP), ROWS);
  let fromA${F} = headAt + width + min(k + moved + ${F} * (TEAM / STEP), last) * stride + quarter;
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
  let k${I} = min(k + row + ${I} * GROUPS, last);
  let open${I} = isOpen(b, k + row + ${I} * GROUPS);
  //#for G in 0..2, V in 0..(D/4+COLUMNS-1)/COLUMNS: var d${G}_${I}_${V} = vec4f();
  //#end for I
  let steps = (sizes.channels + ${4 * STEP - 1}) / ${4 * STEP};
  for (var q = 0u; q < n; q += KEYS) {
    //#for F in 0..(TN*STEP+GROUPS-1)/GROUPS
    let rowB${F} = min(q + moved + ${F} * (TEAM / STEP), last);
    let fromB0_${F} = headAt + rowB${F} * stride + quarter;
    let fromB1_${F} = outHeadAt + rowB${F} * width + quarter;
    //#end for F
    // Scores, then gradients of probabilities.
    //#for P in 0..2
    //#for I in 0..TM, J in 0..TN: var s${P}_${I}_${J} = 0.0;
    for (var step = 0u; step < ENDLESS; step++) {
      if (step >= steps) { break; }
      //#for F in 0..(TM*STEP+COLUMNS-1)/COLUMNS: let moveA${F} = vec4f(qkv[fromA${F} + (step * STEP + ${P} * width)]);
      //#for F in 0..(TN*STEP+GROUPS-1)/GROUPS
      //#if P
      let moveB${F} = vec4f(dout[fromB1_${F} + step * STEP]);
      //#else
      let moveB${F} = vec4f(qkv[fromB0_${F} + step * STEP]);
      //#end
      //#end for F
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
    //#for J in 0..TN
    //#if P
    let delta${J} = delta[bh * n + min(q + column + ${J} * COLUMNS, last)];
    //#for I in 0..TM: s1_${I}_${J} = s0_${I}_${J} * (s1_${I}_${J} - delta${J}) * sizes.scale;
    //#else
    let inside${J} = q + column + ${J} * COLUMNS < n;
    let q${J} = min(q + column + ${J} * COLUMNS, last);
    let lse${J} = lse[bh * n + q${J}];
    let biasAt${J} = biasRow(b, h, q${J});
    //#for I in 0..TM
    s0_${I}_${J} = finishScore(s0_${I}_${J}, biasAt${J} + k${I});
    s0_${I}_${J} = select(0.0, exp(s0_${I}_${J} - lse${J}), open${I} && inside${J});
    //#end for I
    //#end if P
    //#end for J
    //#end for P
    // Of probabilities and gradients of results those of values, then of gradients of scores and queries those of keys.
    let left = min(KEYS, n - q);
    //#for P in 0..(TN+PART-1)/PART, G in 0..2
    {
      //#for F in 0..(PART*COLUMNS+GROUPS-1)/GROUPS
      let from${F} = min(q + row + ${P * PART * COLUMNS + F * GROUPS}, last);
      //#for V in 0..(D/4+COLUMNS-1)/COLUMNS
      //#if G
      let move${F}_${V} = vec4f(qkv[headAt + from${F} * stride + place${V} + ${V} * COLUMNS]);
      //#else
      let move${F}_${V} = vec4f(dout[outHeadAt + from${F} * width + place${V} + ${V} * COLUMNS]);
      //#end
      //#end for V
      //#end for F
      workgroupBarrier();
      //#for J in P*PART..(P+1)*PART
      //#if J < TN
      //#for I in 0..TM
      tileA[atA + (column / 4 + ${J % PART} * COLUMNS / 4) * PITCH_A + row + ${I} * GROUPS][column % 4] = s${G}_${I}_${J};
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
        d${G}_${I}_${V} = fma(vec4f(w${U}_${I}[${R}]), v${U}_${R}_${V}, d${G}_${I}_${V});
        //#end
        //#end for I
        //#end for U
      }
    }
    //#end for P, G
  }
  //#for I in 0..TM
  if (owned && k + row + ${I} * GROUPS < n) {
    let at${I} = headAt + k${I} * stride + 2 * width + column;
    //#for V in 0..(D/4+COLUMNS-1)/COLUMNS
    if (column + ${V} * COLUMNS < CHUNKS) {
      dqkv[at${I} + ${V} * COLUMNS] = Four(d0_${I}_${V});
      dqkv[at${I} - width + ${V} * COLUMNS] = Four(d1_${I}_${V});
    }
    //#end
  }
  //#end for I
}
