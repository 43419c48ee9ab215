// Backward of register.wgsl, by its mapping.
//#use attention/register

//#kernel attentionRegisterBackwardQ
// One invocation ROWS query rows of one head, KEYS keys at a time, like attentionRegisterForward.
//#param KEYS: u32
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> out: array<vec4f>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<vec4f>;
//#if KEY_MASK
@group(0) @binding(7) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(8) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = sizes.sequence;
  let blocks = (n + ROWS - 1u) / ROWS;
  let block = id.x + id.y * groups.x * WG;
  if (block >= sizes.batch * sizes.heads * blocks) { return; }
  let q = block % blocks * ROWS;
  let bh = block / blocks;
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let chunks = sizes.channels / 4u;
  let width = sizes.heads * chunks;
  let stride = 3u * width;
  let headAt = b * n * stride + h * chunks;
  let last = n - 1u;
  //#for i in 0..ROWS
  let q${i} = min(q + ${i}u, last);
  let queryAt${i} = headAt + q${i} * stride;
  let outAt${i} = (b * n + q${i}) * width + h * chunks;
  let lse${i} = lse[bh * n + q${i}];
  var delta${i} = 0.0;
  //#end
  for (var c = 0u; c < chunks; c++) {
    //#for i in 0..ROWS: delta${i} += dot(dout[outAt${i} + c], out[outAt${i} + c]);
  }
  for (var k = 0u; k < n; k += KEYS) {
    //#for j in 0..KEYS
    let k${j} = min(k + ${j}u, last);
    let keyAt${j} = headAt + width + k${j} * stride;
    let open${j} = isOpen(b, k + ${j}u);
    //#end
    //#for i in 0..ROWS, j in 0..KEYS
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = -delta${i};
    //#end
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..KEYS: let key${j} = qkv[keyAt${j} + c];
      //#for i in 0..ROWS
      let query${i} = qkv[queryAt${i} + c];
      //#for j in 0..KEYS: s${i}_${j} += dot(query${i}, key${j});
      //#end
    }
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..KEYS: let value${j} = qkv[keyAt${j} + width + c];
      //#for i in 0..ROWS
      let dout${i} = dout[outAt${i} + c];
      //#for j in 0..KEYS: dp${i}_${j} += dot(dout${i}, value${j});
      //#end
    }
    //#for i in 0..ROWS
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + q${i} * n;
    //#end
    //#for j in 0..KEYS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale + bias[biasAt${i} + k${j}];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    let ds${i}_${j} = select(0.0, exp(s${i}_${j} - lse${i}) * dp${i}_${j} * sizes.scale, open${j});
    //#end for j
    //#end for i
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..KEYS: let key${j} = qkv[keyAt${j} + c];
      //#for i in 0..ROWS
      var dq${i} = vec4f();
      if (k > 0u) { dq${i} = dqkv[queryAt${i} + c]; }
      //#for j in 0..KEYS: dq${i} += ds${i}_${j} * key${j};
      if (q + ${i}u < n) { dqkv[queryAt${i} + c] = dq${i}; }
      //#end
    }
  }
  //#for i in 0..ROWS
  if (q + ${i}u < n) {
    delta[bh * n + q${i}] = delta${i};
  }
  //#end
}

//#kernel attentionRegisterBackwardKV
// One invocation ROWS key rows of one head, QUERIES query rows at a time.
//#param QUERIES: u32
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> dout: array<vec4f>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;
//#if KEY_MASK
@group(0) @binding(6) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(7) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = sizes.sequence;
  let blocks = (n + ROWS - 1u) / ROWS;
  let block = id.x + id.y * groups.x * WG;
  if (block >= sizes.batch * sizes.heads * blocks) { return; }
  let k = block % blocks * ROWS;
  let bh = block / blocks;
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let chunks = sizes.channels / 4u;
  let width = sizes.heads * chunks;
  let stride = 3u * width;
  let headAt = b * n * stride + h * chunks;
  let last = n - 1u;
  //#for j in 0..ROWS
  let k${j} = min(k + ${j}u, last);
  let keyAt${j} = headAt + width + k${j} * stride;
  //#if KEY_MASK
  let open${j} = keyMask[b * n + k${j}] != 0u;
  //#end
  //#end for j
  for (var q = 0u; q < n; q += QUERIES) {
    //#for i in 0..QUERIES
    let q${i} = min(q + ${i}u, last);
    let queryAt${i} = headAt + q${i} * stride;
    let outAt${i} = (b * n + q${i}) * width + h * chunks;
    let lse${i} = lse[bh * n + q${i}];
    let delta${i} = delta[bh * n + q${i}];
    //#for j in 0..ROWS
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = -delta${i};
    //#end
    //#end for i
    for (var c = 0u; c < chunks; c++) {
      //#for i in 0..QUERIES: let query${i} = qkv[queryAt${i} + c];
      //#for j in 0..ROWS
      let key${j} = qkv[keyAt${j} + c];
      //#for i in 0..QUERIES: s${i}_${j} += dot(query${i}, key${j});
      //#end
    }
    for (var c = 0u; c < chunks; c++) {
      //#for i in 0..QUERIES: let dout${i} = dout[outAt${i} + c];
      //#for j in 0..ROWS
      let value${j} = qkv[keyAt${j} + width + c];
      //#for i in 0..QUERIES: dp${i}_${j} += dot(dout${i}, value${j});
      //#end
    }
    //#for i in 0..QUERIES
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + q${i} * n;
    //#end
    //#for j in 0..ROWS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale + bias[biasAt${i} + k${j}];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    //#if KEY_MASK
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${i}), q + ${i}u < n && open${j});
    //#else
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${i}), q + ${i}u < n);
    //#end
    let ds${i}_${j} = p${i}_${j} * dp${i}_${j} * sizes.scale;
    //#end for j
    //#end for i
    for (var c = 0u; c < chunks; c++) {
      //#for i in 0..QUERIES: let query${i} = qkv[queryAt${i} + c];
      //#for j in 0..ROWS
      var dk${j} = vec4f();
      if (q > 0u) { dk${j} = dqkv[keyAt${j} + c]; }
      //#for i in 0..QUERIES: dk${j} += ds${i}_${j} * query${i};
      if (k + ${j}u < n) { dqkv[keyAt${j} + c] = dk${j}; }
      //#end
    }
    for (var c = 0u; c < chunks; c++) {
      //#for i in 0..QUERIES: let dout${i} = dout[outAt${i} + c];
      //#for j in 0..ROWS
      var dv${j} = vec4f();
      if (q > 0u) { dv${j} = dqkv[keyAt${j} + width + c]; }
      //#for i in 0..QUERIES: dv${j} += p${i}_${j} * dout${i};
      if (k + ${j}u < n) { dqkv[keyAt${j} + width + c] = dv${j}; }
      //#end
    }
  }
}
