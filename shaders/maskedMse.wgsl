// maskedMse: mean squared error of each removed patch of a prediction, and its gradient. The target is read from the
// images through the patch layout; no buffer of patches is made.
//
//   errors      errors[s, l] = mean_e (p − t)² where patch l is removed, else 0.  Σ_l of them: see reduce.wgsl.
//   gradient    dPrediction[s, 1 + l, e] (+)= scale · dLoss[⌊s / B⌋] · (p − t) where patch l is removed, else 0
//
//   Patch l of sample s is removed where idsRestore[s mod B, l] ≥ keep. p = prediction[s, 1 + l, e].
//   t = images[s, channel, y, x], e in the order (row, column, channel), channel fastest; with NORM_PIX
//   (t − mean) · rstd of the patch, rstd = 1 / sqrt(var + 1e-6), var unbiased (÷ (n − 1)), in two passes.
//
// Shapes   prediction: [S·B, 1 + L, n], n = P·P·C, the class token first;  images: [S·B, C, H, W];
//          idsRestore: [B, L];  errors: [S·B, L];  statistics: [S·B, L] of (mean, rstd);  dLoss: [S].
// Mapping  errors: LANES invocations share a patch, 64 / LANES patches a workgroup.
//          gradient: one invocation an element.
//          VEC (P a multiple of four, few channels): in the place of an element four pixels in a row, of all channels, which
//          are a cell of four in each plane of the image, and as many cells in a row of the prediction.
// Source   He et al.: Masked Autoencoders Are Scalable Vision Learners (2021).

//#use reduce

const PATCH_SIZE = PATCH * PATCH * CHANNELS;
//#if VEC
alias Cell = vec4f;
const UNITS = PATCH * PATCH / 4u;
//#else
alias Cell = f32;
const UNITS = PATCH_SIZE;
//#end

fn isRemoved(sample: u32, l: u32) -> bool {
  return idsRestore[sample % sizes.batch * sizes.length + l] >= sizes.keep;
}

// VEC: the cell of the first channel's plane that holds pixels 4·e to 4·e + 3.
fn imageIndex(sample: u32, l: u32, e: u32) -> u32 {
  let across = sizes.width / PATCH;
  //#if VEC
  let pixel = 4u * e;
  //#else
  let pixel = e / CHANNELS;
  //#end
  let y = l / across * PATCH + pixel / PATCH;
  let x = l % across * PATCH + pixel % PATCH;
  //#if VEC
  return (sample * CHANNELS * sizes.height * sizes.width + y * sizes.width + x) / 4u;
  //#else
  return ((sample * CHANNELS + e % CHANNELS) * sizes.height + y) * sizes.width + x;
  //#end
}

//#if VEC
alias Pixels = array<vec4f, CHANNELS>;

// Four pixels in a row: what is predicted, in the order of the prediction: (row, column, channel).
fn wantedPixels(at: u32, moments: vec2f) -> Pixels {
  let plane = sizes.height * sizes.width / 4u;
  //#for C in 0..CHANNELS: let plane${C} = (images[at + ${C}u * plane] - moments.x) * moments.y;
  return Pixels(
    //#for Q in 0..CHANNELS
    vec4f(
      plane${4 * Q % CHANNELS}[${4 * Q / CHANNELS}],
      plane${(4 * Q + 1) % CHANNELS}[${(4 * Q + 1) / CHANNELS}],
      plane${(4 * Q + 2) % CHANNELS}[${(4 * Q + 2) / CHANNELS}],
      plane${(4 * Q + 3) % CHANNELS}[${(4 * Q + 3) / CHANNELS}],
    ),
    //#end
  );
}

fn cellTotal(cell: vec4f) -> f32 { return (cell.x + cell.y) + (cell.z + cell.w); }
//#end if VEC

// Mean and 1 / deviation of a patch that `lanes` invocations share; `count` of UNITS is 0 where there is none.
fn patchMoments(local: u32, lanes: u32, sample: u32, l: u32, count: u32) -> vec2f {
  let lane = local % lanes;
  var sum = 0.0;
  for (var e = lane; e < count; e += lanes) {
    //#if VEC
    let four = wantedPixels(imageIndex(sample, l, e), vec2f(0, 1));
    //#for Q in 0..CHANNELS: sum += cellTotal(four[${Q}]);
    //#else
    sum += images[imageIndex(sample, l, e)];
    //#end
  }
  let mean = laneSum(local, lanes, sum) / f32(PATCH_SIZE);

  var deviations = 0.0;
  for (var e = lane; e < count; e += lanes) {
    //#if VEC
    let four = wantedPixels(imageIndex(sample, l, e), vec2f(mean, 1));
    //#for Q in 0..CHANNELS: deviations += cellTotal(four[${Q}] * four[${Q}]);
    //#else
    let centred = images[imageIndex(sample, l, e)] - mean;
    deviations += centred * centred;
    //#end
  }
  return vec2f(mean, 1.0 / sqrt(laneSum(local, lanes, deviations) / f32(PATCH_SIZE - 1u) + 1e-6));
}

//#kernel maskedMseErrors
//#param PATCH: u32
//#param CHANNELS: u32
//#param VEC: bool
//#param LANES: u32
//#param NORM_PIX: bool
@group(0) @binding(0) var<storage, read> prediction: array<Cell>;
@group(0) @binding(1) var<storage, read> images: array<Cell>;
@group(0) @binding(2) var<storage, read> idsRestore: array<u32>;
@group(0) @binding(3) var<storage, read_write> errors: array<f32>;
//#if NORM_PIX
@group(0) @binding(4) var<storage, read_write> statistics: array<vec2f>;
//#end
struct Sizes { samples: u32, batch: u32, length: u32, keep: u32, height: u32, width: u32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

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
  let count = select(0u, UNITS, inside && isRemoved(sample, l));
  var moments = vec2f(0.0, 1.0);
  //#if NORM_PIX
  moments = patchMoments(local, LANES, sample, l, count);
  //#end

  let base = (row + sample + 1u) * PATCH_SIZE;
  var squares = 0.0;
  for (var e = lane; e < count; e += LANES) {
    //#if VEC
    let wanted = wantedPixels(imageIndex(sample, l, e), moments);
    //#for Q in 0..CHANNELS
    let difference${Q} = prediction[base / 4u + e * CHANNELS + ${Q}u] - wanted[${Q}];
    squares += cellTotal(difference${Q} * difference${Q});
    //#end
    //#else
    let difference = prediction[base + e] - (images[imageIndex(sample, l, e)] - moments.x) * moments.y;
    squares += difference * difference;
    //#end
  }
  let error = laneSum(local, LANES, squares) / f32(PATCH_SIZE);
  if (lane == 0u && inside) {
    errors[row] = error;
    //#if NORM_PIX
    statistics[row] = moments;
    //#end
  }
}

//#kernel maskedMseGradient
//#param PATCH: u32
//#param CHANNELS: u32
//#param VEC: bool
//#param NORM_PIX: bool
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> prediction: array<Cell>;
@group(0) @binding(1) var<storage, read> images: array<Cell>;
@group(0) @binding(2) var<storage, read> idsRestore: array<u32>;
@group(0) @binding(3) var<storage, read> dLoss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dPrediction: array<Cell>;
//#if NORM_PIX
@group(0) @binding(5) var<storage, read> statistics: array<vec2f>;
//#end
struct Sizes { units: u32, batch: u32, length: u32, keep: u32, height: u32, width: u32, scale: f32 }
@group(0) @binding(6) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.units) { return; }
  let token = i / UNITS % (sizes.length + 1u);
  let sample = i / UNITS / (sizes.length + 1u);
  let removed = token > 0u && isRemoved(sample, max(token, 1u) - 1u);
  var moments = vec2f(0.0, 1.0);
  //#if NORM_PIX
  if (removed) { moments = statistics[sample * sizes.length + token - 1u]; }
  //#end
  //#if VEC
  var values: Pixels;
  if (removed) {
    let wanted = wantedPixels(imageIndex(sample, token - 1u, i % UNITS), moments);
    let slope = sizes.scale * dLoss[sample / sizes.batch];
    //#for Q in 0..CHANNELS: values[${Q}] = slope * (prediction[i * CHANNELS + ${Q}u] - wanted[${Q}]);
  }
  //#for Q in 0..CHANNELS
  //#if ACCUMULATE
  dPrediction[i * CHANNELS + ${Q}u] += values[${Q}];
  //#else
  dPrediction[i * CHANNELS + ${Q}u] = values[${Q}];
  //#end
  //#end for Q
  //#else
  var value = 0.0;
  if (removed) {
    let wanted = (images[imageIndex(sample, token - 1u, i % UNITS)] - moments.x) * moments.y;
    value = sizes.scale * dLoss[sample / sizes.batch] * (prediction[i] - wanted);
  }
  //#if ACCUMULATE
  dPrediction[i] += value;
  //#else
  dPrediction[i] = value;
  //#end
  //#end if VEC
}
