// Better than plain: an invocation takes ROWS rows, so that what it loads of a key serves all of them, KEYS keys at a
// time in vec4, and online softmax passes over the keys once instead of twice. Straight from storage, no barriers. It
// costs: D must be a multiple of 4, and ROWS × KEYS scores are written out, which compile for long where they are many.
//#use attention/common
//#param ROWS: u32
//#param WG: u32

//#kernel attentionRegisterForward
// One invocation ROWS query rows of one head; KEYS keys at a time with online softmax. Scores and outputs stay in
// registers: ROWS + 2·KEYS vec4 loads for 2·ROWS·KEYS products of vec4. The end of the sequence is met by reading its
// last row again and giving it probability 0.
//#param KEYS: u32
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
//#if KEY_MASK
@group(0) @binding(4) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(5) var<storage, read> bias: array<f32>;
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
  var largest${i} = NOTHING;
  var total${i} = 0.0;
  let outAt${i} = (b * n + q${i}) * width + h * chunks;
  //#end
  for (var k = 0u; k < n; k += KEYS) {
    //#for j in 0..KEYS
    let k${j} = min(k + ${j}u, last);
    let keyAt${j} = headAt + width + k${j} * stride;
    let open${j} = isOpen(b, k + ${j}u);
    //#end
    //#for i in 0..ROWS, j in 0..KEYS: var s${i}_${j} = 0.0;
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..KEYS: let key${j} = qkv[keyAt${j} + c];
      //#for i in 0..ROWS
      let query${i} = qkv[queryAt${i} + c];
      //#for j in 0..KEYS: s${i}_${j} += dot(query${i}, key${j});
      //#end
    }
    //#for i in 0..ROWS
    let before${i} = largest${i};
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + q${i} * n;
    //#end
    //#for j in 0..KEYS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale + bias[biasAt${i} + k${j}];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    largest${i} = max(largest${i}, select(NOTHING, s${i}_${j}, open${j}));
    //#end for j
    let shrink${i} = exp(before${i} - largest${i});
    total${i} *= shrink${i};
    //#for j in 0..KEYS
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - largest${i}), open${j});
    total${i} += p${i}_${j};
    //#end
    //#end for i
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..KEYS: let value${j} = qkv[keyAt${j} + width + c];
      //#for i in 0..ROWS
      var o${i} = vec4f();
      if (k > 0u) { o${i} = out[outAt${i} + c] * shrink${i}; }
      //#for j in 0..KEYS: o${i} += p${i}_${j} * value${j};
      if (k + KEYS >= n) { o${i} *= select(0.0, 1.0 / total${i}, total${i} > 0.0); }
      if (q + ${i}u < n) { out[outAt${i} + c] = o${i}; }
      //#end
    }
  }
  //#for i in 0..ROWS
  if (q + ${i}u < n) {
    lse[bh * n + q${i}] = select(NOTHING, largest${i} + log(total${i}), total${i} > 0.0);
  }
  //#end
}
