// Backward of shuffle.wgsl, by its mapping.
//#use attention/shuffle

//#kernel attentionShuffleBackwardQ
// The mapping of attentionShuffleForward.
//#param KEYS: u32
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> out: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<f32>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<f32>;
//#if KEY_MASK
@group(0) @binding(7) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(8) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let lane = subgroupLane % LANES;
  let n = sizes.sequence;
  let d = sizes.channels;
  let blocks = (n + ROWS * LANES - 1u) / (ROWS * LANES);
  let block = group.x + group.y * groups.x;
  if (block >= sizes.batch * sizes.heads * blocks) { return; }
  let first = block % blocks * ROWS * LANES;
  let bh = block / blocks;
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * d;
  let stride = 3u * width;
  let headAt = b * n * stride + h * d;
  let last = n - 1u;
  //#for i in 0..ROWS
  let q${i} = first + ${i}u * LANES + lane;
  let queryAt${i} = headAt + min(q${i}, last) * stride;
  let outAt${i} = (b * n + min(q${i}, last)) * width + h * d;
  let lse${i} = lse[bh * n + min(q${i}, last)];
  var delta${i} = 0.0;
  //#end
  for (var k = 0u; k < n; k += KEYS) {
    //#for j in 0..KEYS
    let k${j} = min(k + ${j}u, last);
    let keyAt${j} = headAt + width + k${j} * stride;
    let open${j} = isOpen(b, k + ${j}u);
    //#end
    //#for i in 0..ROWS, j in 0..KEYS
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = 0.0;
    //#end
    for (var c = 0u; c < d; c += LANES) {
      let mine = min(c + lane, d - 1u);
      //#for j in 0..KEYS
      let key${j} = qkv[keyAt${j} + mine];
      let value${j} = qkv[keyAt${j} + width + mine];
      //#end
      let present = min(LANES, d - c);
      for (var l = 0u; l < present; l++) {
        //#for i in 0..ROWS
        let query${i} = qkv[queryAt${i} + c + l];
        let dout${i} = dout[outAt${i} + c + l];
        if (k == 0u) { delta${i} = fma(dout${i}, out[outAt${i} + c + l], delta${i}); }
        //#end
        //#for j in 0..KEYS
        let x${j} = subgroupShuffle(key${j}, l);
        let y${j} = subgroupShuffle(value${j}, l);
        //#for i in 0..ROWS
        s${i}_${j} = fma(query${i}, x${j}, s${i}_${j});
        dp${i}_${j} = fma(dout${i}, y${j}, dp${i}_${j});
        //#end
        //#end for j
      }
    }
    //#for i in 0..ROWS
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + min(q${i}, last) * n;
    //#end
    //#for j in 0..KEYS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale + bias[biasAt${i} + k${j}];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    let ds${i}_${j} = select(0.0, exp(s${i}_${j} - lse${i}) * (dp${i}_${j} - delta${i}) * sizes.scale, open${j});
    //#end for j
    //#end for i
    for (var c = 0u; c < d; c += LANES) {
      let column = c + lane;
      let mine = min(column, d - 1u);
      //#for j in 0..KEYS: let key${j} = qkv[keyAt${j} + mine];
      for (var l = 0u; l < LANES; l++) {
        //#for i in 0..ROWS
        let row${i} = first + ${i}u * LANES + l;
        if (row${i} < n) {
          let at = headAt + row${i} * stride + mine;
          var dq = 0.0;
          if (k > 0u) { dq = dqkv[at]; }
          //#for j in 0..KEYS: dq = fma(subgroupShuffle(ds${i}_${j}, l), key${j}, dq);
          if (column < d) { dqkv[at] = dq; }
        }
        //#end
      }
    }
  }
  //#for i in 0..ROWS
  if (q${i} < n) {
    delta[bh * n + q${i}] = delta${i};
  }
  //#end
}

//#kernel attentionShuffleBackwardKV
// The mapping of attentionShuffleForward with keys and queries in each other's place.
//#param QUERIES: u32
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> dout: array<f32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;
//#if KEY_MASK
@group(0) @binding(6) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(7) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let lane = subgroupLane % LANES;
  let n = sizes.sequence;
  let d = sizes.channels;
  let blocks = (n + ROWS * LANES - 1u) / (ROWS * LANES);
  let block = group.x + group.y * groups.x;
  if (block >= sizes.batch * sizes.heads * blocks) { return; }
  let first = block % blocks * ROWS * LANES;
  let bh = block / blocks;
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * d;
  let stride = 3u * width;
  let headAt = b * n * stride + h * d;
  let outHeadAt = b * n * width + h * d;
  let last = n - 1u;
  //#for i in 0..ROWS
  let k${i} = first + ${i}u * LANES + lane;
  let keyAt${i} = headAt + width + min(k${i}, last) * stride;
  //#if KEY_MASK
  let open${i} = keyMask[b * n + min(k${i}, last)] != 0u;
  //#end
  //#end for i
  for (var q = 0u; q < n; q += QUERIES) {
    //#for j in 0..QUERIES
    let q${j} = min(q + ${j}u, last);
    let queryAt${j} = headAt + q${j} * stride;
    let outAt${j} = outHeadAt + q${j} * width;
    //#for i in 0..ROWS
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = 0.0;
    //#end
    //#end for j
    for (var c = 0u; c < d; c += LANES) {
      let mine = min(c + lane, d - 1u);
      //#for j in 0..QUERIES
      let query${j} = qkv[queryAt${j} + mine];
      let dout${j} = dout[outAt${j} + mine];
      //#end
      let present = min(LANES, d - c);
      for (var l = 0u; l < present; l++) {
        //#for i in 0..ROWS
        let key${i} = qkv[keyAt${i} + c + l];
        let value${i} = qkv[keyAt${i} + width + c + l];
        //#end
        //#for j in 0..QUERIES
        let x${j} = subgroupShuffle(query${j}, l);
        let y${j} = subgroupShuffle(dout${j}, l);
        //#for i in 0..ROWS
        s${i}_${j} = fma(key${i}, x${j}, s${i}_${j});
        dp${i}_${j} = fma(value${i}, y${j}, dp${i}_${j});
        //#end
        //#end for j
      }
    }
    //#for j in 0..QUERIES
    let lse${j} = lse[bh * n + q${j}];
    let delta${j} = delta[bh * n + q${j}];
    //#for i in 0..ROWS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale
      + bias[b * sizes.biasBatchStride + h * sizes.biasHeadStride + q${j} * n + min(k${i}, last)];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    //#if KEY_MASK
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${j}), q + ${j}u < n && open${i});
    //#else
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${j}), q + ${j}u < n);
    //#end
    let ds${i}_${j} = p${i}_${j} * (dp${i}_${j} - delta${j}) * sizes.scale;
    //#end for i
    //#end for j
    for (var c = 0u; c < d; c += LANES) {
      let column = c + lane;
      let mine = min(column, d - 1u);
      //#for j in 0..QUERIES
      let query${j} = qkv[queryAt${j} + mine];
      let dout${j} = dout[outAt${j} + mine];
      //#end
      for (var l = 0u; l < LANES; l++) {
        //#for i in 0..ROWS
        let row${i} = first + ${i}u * LANES + l;
        if (row${i} < n) {
          let at = headAt + width + row${i} * stride + mine;
          var dk = 0.0;
          var dv = 0.0;
          if (q > 0u) {
            dk = dqkv[at];
            dv = dqkv[at + width];
          }
          //#for j in 0..QUERIES
          dk = fma(subgroupShuffle(ds${i}_${j}, l), query${j}, dk);
          dv = fma(subgroupShuffle(p${i}_${j}, l), dout${j}, dv);
          //#end
          if (column < d) {
            dqkv[at] = dk;
            dqkv[at + width] = dv;
          }
        }
        //#end for i
      }
    }
  }
}
