// gradientNorm: the Euclidean norm of all gradients together, and the factor that clips them to a largest norm.
//
//   norm = √ Σ g²,   clip = min(1, limit / (norm + 1e-6))   (1 where limit = 0)
//
// SCALED: the gradients are `scale` times what they should be, so that in f16 small ones are not lost. norm and clip are made
// of what they should be, and the factor takes the scale off. Where the norm is not finite (an f16 overflowed on the way),
// the step counts as skipped and the scale is halved; after `growth` good steps in a row it is doubled, up to 2²⁴.
//
//   result = (norm / scale, clip / scale, 1 or 0 where the step is skipped, the step's scale, steps skipped so far)
//
// Shapes   grads: [count] f32 of one arena, count a multiple of 64;  partials: [blocks of all arenas];  result: [2] = (norm, clip);
//          state: [3] = (scale, good steps since it changed, steps skipped so far).
// Mapping  4096 elements make 64 sums, of every 64th each, which are added in order. gradientNormPartial: 16 invocations hold
//          four of the sums each, and the first of them adds the 64; so a workgroup takes four times 4096 elements.
//          gradientNormFinish: the same over the partials, a sum an invocation. The order of sums is fixed by the sizes.
// Source   the clipping rule of PyTorch's clip_grad_norm_ (Pascanu et al. 2013); Micikevicius et al., Mixed Precision
//          Training (2018).

//#kernel gradientNormPartial
@group(0) @binding(0) var<storage, read> grads: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;
struct Sizes { count: u32, firstBlock: u32 }
@group(0) @binding(2) var<uniform> sizes: Sizes;

const BLOCK_CELLS = 1024u;
var<workgroup> sums: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let block = (group.x + group.y * groups.x) * 4u + local / 16u;
  let cells = sizes.count / 4u;
  let end = min(cells, (block + 1u) * BLOCK_CELLS);
  var squares = vec4f();
  var i = block * BLOCK_CELLS + local % 16u;
  // Eight loads at once, so that memory is waited for once; the sums' order is that of the loop below.
  for (; i + 112u < end; i += 128u) {
    //#for U in 0..8: let g${U} = grads[i + ${16 * U}u];
    //#for U in 0..8: squares += g${U} * g${U};
  }
  for (; i < end; i += 16u) { squares += grads[i] * grads[i]; }
  sums[local] = squares;
  workgroupBarrier();
  if (local % 16u != 0u || block * BLOCK_CELLS >= cells) { return; }
  var total = 0.0;
  for (var i = local; i < local + 16u; i++) {
    let four = sums[i];
    total = total + four.x + four.y + four.z + four.w;
  }
  partials[sizes.firstBlock + block] = total;
}

//#kernel gradientNormFinish
//#param SCALED: bool
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
//#if SCALED
struct Sizes { blocks: u32, limit: f32, growth: f32 }
@group(0) @binding(3) var<storage, read_write> state: array<f32, 3>;
const LARGEST_SCALE = 16777216.0;
//#else
struct Sizes { blocks: u32, limit: f32 }
//#end
@group(0) @binding(2) var<uniform> sizes: Sizes;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  for (var i = local; i < sizes.blocks; i += 64u) { sum += partials[i]; }
  sums[local] = sum;
  workgroupBarrier();
  if (local == 0u) {
    var total = 0.0;
    for (var i = 0u; i < 64u; i++) { total += sums[i]; }
    //#if SCALED
    let scale = state[0];
    let norm = sqrt(total) / scale;
    // By its bits: a compiler may take it for granted that numbers are finite.
    let isFinite = (bitcast<u32>(total) & 0x7f800000u) != 0x7f800000u;
    let good = select(0.0, state[1] + 1.0, isFinite);
    let grows = good >= sizes.growth;
    state[0] = select(scale * 0.5, select(scale, min(scale * 2.0, LARGEST_SCALE), grows), isFinite);
    state[1] = select(good, 0.0, grows);
    state[2] += select(1.0, 0.0, isFinite);
    result[2] = select(0.0, 1.0, isFinite);
    result[3] = scale;
    result[4] = state[2];
    //#else
    let norm = sqrt(total);
    //#end if SCALED
    result[0] = norm;
    result[1] = select(1.0, min(1.0, sizes.limit / (norm + 1e-6)), sizes.limit > 0.0);
    //#if SCALED
    result[1] /= scale;
    //#end
  }
}
