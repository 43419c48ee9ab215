// Better than register where subgroups are wide: a workgroup is one subgroup of LANES, whose lanes each load one
// channel of each key, or one column of each value, and get the others' by shuffles. It costs: scalars instead of vec4,
// and shuffles, of which one is as dear as the loads that it saves where subgroups are of four (SwiftShader).
//#use attention/common
//#enable subgroups
//#param ROWS: u32
//#param LANES: u32

//#kernel attentionShuffleForward
// A workgroup, which is one subgroup of LANES, ROWS × LANES query rows of one head, KEYS keys at a time with online
// softmax. Scores: a lane has rows of its own, and each lane loads one channel of each key, which all get by shuffles.
// Outputs: a lane has a column of its own, and gets the probabilities of all rows by shuffles.
//#param KEYS: u32
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
//#if KEY_MASK
@group(0) @binding(4) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(5) var<storage, read> bias: array<f32>;
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
  let q${i} = first + ${i}u * LANES + lane;
  let queryAt${i} = headAt + min(q${i}, last) * stride;
  var largest${i} = NOTHING;
  var total${i} = 0.0;
  //#end
  for (var k = 0u; k < n; k += KEYS) {
    //#for j in 0..KEYS
    let k${j} = min(k + ${j}u, last);
    let keyAt${j} = headAt + width + k${j} * stride;
    let open${j} = isOpen(b, k + ${j}u);
    //#end
    //#for i in 0..ROWS, j in 0..KEYS: var s${i}_${j} = 0.0;
    for (var c = 0u; c < d; c += LANES) {
      let mine = min(c + lane, d - 1u);
      //#for j in 0..KEYS: let key${j} = qkv[keyAt${j} + mine];
      let present = min(LANES, d - c);
      for (var l = 0u; l < present; l++) {
        //#for i in 0..ROWS: let query${i} = qkv[queryAt${i} + c + l];
        //#for j in 0..KEYS
        let x${j} = subgroupShuffle(key${j}, l);
        //#for i in 0..ROWS: s${i}_${j} = fma(query${i}, x${j}, s${i}_${j});
        //#end
      }
    }
    //#for i in 0..ROWS
    let before${i} = largest${i};
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + min(q${i}, last) * n;
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
    let norm${i} = select(1.0, select(0.0, 1.0 / total${i}, total${i} > 0.0), k + KEYS >= n);
    //#end for i
    for (var c = 0u; c < d; c += LANES) {
      let column = c + lane;
      let mine = min(column, d - 1u);
      //#for j in 0..KEYS: let value${j} = qkv[keyAt${j} + width + mine];
      for (var l = 0u; l < LANES; l++) {
        //#for i in 0..ROWS
        let row${i} = first + ${i}u * LANES + l;
        if (row${i} < n) {
          let at = outHeadAt + row${i} * width + mine;
          var o = 0.0;
          if (k > 0u) { o = out[at] * subgroupShuffle(shrink${i}, l); }
          //#for j in 0..KEYS: o = fma(subgroupShuffle(p${i}_${j}, l), value${j}, o);
          o *= subgroupShuffle(norm${i}, l);
          if (column < d) { out[at] = o; }
        }
        //#end for i
      }
    }
  }
  //#for i in 0..ROWS
  if (q${i} < n) {
    lse[bh * n + q${i}] = select(NOTHING, largest${i} + log(total${i}), total${i} > 0.0);
  }
  //#end
}
