// Backward of tile.wgsl, by its mapping.
//#use attention/tile

//#kernel attentionBackwardQ
// The mapping of attentionForward; the invocations of a row share its delta and its score gradients.
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
  let outAt${i} = outHeadAt + q${i} * width;
  let lse${i} = lse[bh * n + q${i}];
  var part${i} = 0.0;
  for (var c = column; c < CHUNKS; c += COLUMNS) {
    part${i} += dot(vec4f(dout[outAt${i} + c]), vec4f(out[outAt${i} + c]));
  }
  parts[partAt + ${i}u * COLUMNS + column] = part${i};
  //#for c in 0..(D/4+COLUMNS-1)/COLUMNS: var dq${i}_${c} = vec4f();
  //#end for i
  workgroupBarrier();
  //#for i in 0..4: let delta${i} = sumOfParts(partAt + ${i}u * COLUMNS);
  for (var k = 0u; k < n; k += ACROSS) {
    let present = min(ACROSS, n - k);
    loadKeysAndValues(member, tileAt, headAt + width + k * stride, present);
    workgroupBarrier();
    //#for j in 0..ACROSS/COLUMNS
    let k${j} = k + column + ${j * COLUMNS}u;
    let open${j} = isOpen(b, k${j});
    //#end
    //#for i in 0..4, j in 0..ACROSS/COLUMNS
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = -delta${i};
    //#end
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..ACROSS/COLUMNS
      let key${j} = tileA[tileAt + (column + ${j * COLUMNS}u) * PITCH + c];
      let value${j} = tileB[tileAt + (column + ${j * COLUMNS}u) * PITCH + c];
      //#end
      //#for i in 0..4
      let query${i} = vec4f(qkv[queryAt${i} + c]);
      let dout${i} = vec4f(dout[outAt${i} + c]);
      //#for j in 0..ACROSS/COLUMNS
      s${i}_${j} += dot(query${i}, key${j});
      dp${i}_${j} += dot(dout${i}, value${j});
      //#end
      //#end for i
    }
    //#for i in 0..4
    let biasAt${i} = biasRow(b, h, q${i});
    //#for j in 0..ACROSS/COLUMNS
    s${i}_${j} = finishScore(s${i}_${j}, biasAt${i} + min(k${j}, last));
    weights[weightAt + ${i}u * (ACROSS + 1u) + column + ${j * COLUMNS}u] =
      select(0.0, exp(s${i}_${j} - lse${i}) * dp${i}_${j} * sizes.scale, open${j});
    //#end
    //#end for i
    workgroupBarrier();
    for (var j = 0u; j < present; j++) {
      //#for i in 0..4: let ds${i} = weights[weightAt + ${i}u * (ACROSS + 1u) + j];
      //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
      let key${c} = tileA[tileAt + j * PITCH + min(column + ${c * COLUMNS}u, CHUNKS - 1u)];
      //#for i in 0..4: dq${i}_${c} += ds${i} * key${c};
      //#end
    }
    workgroupBarrier();
  }
  //#for i in 0..4
  if (owned && q + ${i}u < n) {
    //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
    if (column + ${c * COLUMNS}u < CHUNKS) { dqkv[queryAt${i} + column + ${c * COLUMNS}u] = Four(dq${i}_${c}); }
    //#end
    if (column == 0u) { delta[bh * n + q${i}] = delta${i}; }
  }
  //#end for i
}

//#kernel attentionBackwardKV
// The mapping of attentionForward with keys and queries in each other's place: a workgroup owns key rows, and query
// rows come through workgroup memory, ACROSS at a time.
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

/// The invocations of a head bring rows of its queries, from qkv[at] on, to tileA, and those of dout to tileB.
fn loadQueries(member: u32, tileAt: u32, at: u32, outAt: u32, rows: u32) {
  let width = sizes.heads * CHUNKS;
  for (var e = member; e < rows * CHUNKS; e += TEAM) {
    tileA[tileAt + e / CHUNKS * PITCH + e % CHUNKS] = vec4f(qkv[at + e / CHUNKS * 3u * width + e % CHUNKS]);
    tileB[tileAt + e / CHUNKS * PITCH + e % CHUNKS] = vec4f(dout[outAt + e / CHUNKS * width + e % CHUNKS]);
  }
}

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
  let k = at % blocks * ROWS + row;
  let tileAt = slot * ACROSS * PITCH;
  let weightAt = (slot * ROWS + row) * (ACROSS + 1u);
  //#for i in 0..4
  let k${i} = min(k + ${i}u, last);
  let keyAt${i} = headAt + width + k${i} * stride;
  //#if KEY_MASK
  let open${i} = keyMask[b * n + k${i}] != 0u;
  //#end
  //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
  var dk${i}_${c} = vec4f();
  var dv${i}_${c} = vec4f();
  //#end
  //#end for i
  for (var q = 0u; q < n; q += ACROSS) {
    let present = min(ACROSS, n - q);
    loadQueries(member, tileAt, headAt + q * stride, outHeadAt + q * width, present);
    workgroupBarrier();
    //#for j in 0..ACROSS/COLUMNS
    let q${j} = q + column + ${j * COLUMNS}u;
    let queryRow${j} = bh * n + min(q${j}, last);
    let delta${j} = delta[queryRow${j}];
    let lse${j} = lse[queryRow${j}];
    //#for i in 0..4
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = -delta${j};
    //#end
    //#end for j
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..ACROSS/COLUMNS
      let query${j} = tileA[tileAt + (column + ${j * COLUMNS}u) * PITCH + c];
      let dout${j} = tileB[tileAt + (column + ${j * COLUMNS}u) * PITCH + c];
      //#end
      //#for i in 0..4
      let key${i} = vec4f(qkv[keyAt${i} + c]);
      let value${i} = vec4f(qkv[keyAt${i} + width + c]);
      //#for j in 0..ACROSS/COLUMNS
      s${i}_${j} += dot(key${i}, query${j});
      dp${i}_${j} += dot(value${i}, dout${j});
      //#end
      //#end for i
    }
    //#for i in 0..4, j in 0..ACROSS/COLUMNS
    s${i}_${j} = finishScore(s${i}_${j}, biasRow(b, h, min(q${j}, last)) + k${i});
    //#if KEY_MASK
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${j}), q${j} < n && open${i});
    //#else
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${j}), q${j} < n);
    //#end
    weights[weightAt + ${i}u * (ACROSS + 1u) + column + ${j * COLUMNS}u] = p${i}_${j};
    //#end for i, j
    workgroupBarrier();
    for (var j = 0u; j < present; j++) {
      //#for i in 0..4: let p${i} = weights[weightAt + ${i}u * (ACROSS + 1u) + j];
      //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
      let dout${c} = tileB[tileAt + j * PITCH + min(column + ${c * COLUMNS}u, CHUNKS - 1u)];
      //#for i in 0..4: dv${i}_${c} += p${i} * dout${c};
      //#end
    }
    workgroupBarrier();
    //#for i in 0..4, j in 0..ACROSS/COLUMNS
    weights[weightAt + ${i}u * (ACROSS + 1u) + column + ${j * COLUMNS}u] = p${i}_${j} * dp${i}_${j} * sizes.scale;
    //#end
    workgroupBarrier();
    for (var j = 0u; j < present; j++) {
      //#for i in 0..4: let ds${i} = weights[weightAt + ${i}u * (ACROSS + 1u) + j];
      //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
      let query${c} = tileA[tileAt + j * PITCH + min(column + ${c * COLUMNS}u, CHUNKS - 1u)];
      //#for i in 0..4: dk${i}_${c} += ds${i} * query${c};
      //#end
    }
    workgroupBarrier();
  }
  //#for i in 0..4
  if (owned && k + ${i}u < n) {
    //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
    if (column + ${c * COLUMNS}u < CHUNKS) {
      dqkv[keyAt${i} + column + ${c * COLUMNS}u] = Four(dk${i}_${c});
      dqkv[keyAt${i} + width + column + ${c * COLUMNS}u] = Four(dv${i}_${c});
    }
    //#end
  }
  //#end for i
}
