// alignment: how far two predictions of one image, each under a mask of its own, are from each other in the patches that both
// masks remove, how far their mean is from the target, and the gradient of the first.
//
//   terms       align[b, l]  = mean_e ½(u_A − u_B)²      centre[b, l] = mean_e 2(ū − y)², ū = (u_A + u_B)/2
//               both[b, l]   = 1;    all three 0 where either mask leaves patch l visible
//   means       out = (Σ align, Σ centre) / max(1, Σ both);  count = max(1, Σ both).  The sums: see reduce.wgsl.
//   gradient    dPrediction[s, 1 + l, e] (+)= dLoss · (u − u') / (n · count) where both masks remove patch l, else 0;
//               u' is the other prediction of the same image
//
//   So align + centre = mean_e (u_A − y)² + mean_e (u_B − y)²: the error of both is what the two differ by, plus that of
//   their mean. Sample b under mask A is row b, under mask B row B + b; a patch is removed, and y read from the images, as in
//   maskedMse.wgsl.
//
// Shapes   prediction: [2B, 1 + L, n], n = P·P·C, the class token first;  images: [2B, C, H, W], of which the first B are read;  idsRestore: [2B, L];
//          terms: [3, B·L] = align, centre, both;  sums: [3];  out: [2];  count: [1];  dLoss: [1].
// Mapping  terms: LANES invocations share a patch, 64 / LANES patches a workgroup. means: one invocation.
//          gradient: one invocation an element.
// Source   after Understanding Masked Autoencoders From a Local Contrastive Perspective (2023); the identity is that of the
//          parallelogram.

//#kernel alignmentTerms
//#use maskedMse
//#param PATCH: u32
//#param CHANNELS: u32
//#param VEC: bool
//#param LANES: u32
//#param NORM_PIX: bool
@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> images: array<f32>;
@group(0) @binding(2) var<storage, read> idsRestore: array<u32>;
@group(0) @binding(3) var<storage, read_write> terms: array<f32>;
// batch: rows of idsRestore, 2B
struct Sizes { samples: u32, batch: u32, length: u32, keep: u32, height: u32, width: u32 }
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let row = (group.x + group.y * groups.x) * (WORKGROUP / LANES) + local / LANES;
  let lane = local % LANES;
  let sample = row / sizes.length;
  let l = row % sizes.length;
  let inside = sample < sizes.samples;
  let both = inside && isRemoved(sample, l) && isRemoved(sizes.samples + sample, l);
  let count = select(0u, PATCH_SIZE, both);
  var moments = vec2f(0.0, 1.0);
  //#if NORM_PIX
  moments = patchMoments(local, LANES, sample, l, count);
  //#end

  let baseA = (row + sample + 1u) * PATCH_SIZE;
  let baseB = baseA + sizes.samples * (sizes.length + 1u) * PATCH_SIZE;
  var apart = 0.0;
  var off = 0.0;
  for (var e = lane; e < count; e += LANES) {
    let a = prediction[baseA + e];
    let b = prediction[baseB + e];
    let error = 0.5 * (a + b) - (images[imageIndex(sample, l, e)] - moments.x) * moments.y;
    apart += (a - b) * (a - b);
    off += error * error;
  }
  let align = 0.5 * laneSum(local, LANES, apart) / f32(PATCH_SIZE);
  let centre = 2.0 * laneSum(local, LANES, off) / f32(PATCH_SIZE);
  if (lane == 0u && inside) {
    let rows = sizes.samples * sizes.length;
    terms[row] = align;
    terms[rows + row] = centre;
    terms[2u * rows + row] = select(0.0, 1.0, both);
  }
}

//#kernel alignmentMeans
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> align: array<f32>;
@group(0) @binding(2) var<storage, read_write> centre: array<f32>;
@group(0) @binding(3) var<storage, read_write> count: array<f32>;

@compute @workgroup_size(1)
fn main() {
  let patches = max(1.0, sums[2]);
  align[0] = sums[0] / patches;
  centre[0] = sums[1] / patches;
  count[0] = patches;
}

//#kernel alignmentGradient
//#param PATCH_SIZE: u32
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> idsRestore: array<u32>;
@group(0) @binding(2) var<storage, read> dLoss: array<f32>;
@group(0) @binding(3) var<storage, read> patches: array<f32>;
@group(0) @binding(4) var<storage, read_write> dPrediction: array<f32>;
// half: elements of the predictions under one mask
struct Sizes { count: u32, half: u32, samples: u32, length: u32, keep: u32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= sizes.count) { return; }
  let token = i / PATCH_SIZE % (sizes.length + 1u);
  let sample = i / PATCH_SIZE / (sizes.length + 1u) % sizes.samples;
  var value = 0.0;
  if (token > 0u) {
    let rankA = idsRestore[sample * sizes.length + token - 1u];
    let rankB = idsRestore[(sizes.samples + sample) * sizes.length + token - 1u];
    if (min(rankA, rankB) >= sizes.keep) {
      let other = select(i - sizes.half, i + sizes.half, i < sizes.half);
      value = dLoss[0] * (prediction[i] - prediction[other]) / (f32(PATCH_SIZE) * patches[0]);
    }
  }
  //#if ACCUMULATE
  dPrediction[i] += value;
  //#else
  dPrediction[i] = value;
  //#end
}
