// augment: training images from resident bytes: crop, bicubic resize, flip, normalise, in one pass.
//
//   out[b, c, y, x] = pixel · factor[c] + shift[c],   factor = 1 / (255 · std),  shift = −mean / std
//   pixel = clamp(Σ_j v(j) · clamp(Σ_i w(i) · image[c, j, i])),   clamp to 0 … 255
//   centre of an output pixel in the source: box start + (x + ½) · scale,   scale = box extent / size
//   weight of source pixel i: cubic((i + ½ − centre) / max(scale, 1)), the weights of an axis divided by their sum
//
//   cubic is Keys' kernel with a = −½. Shrinking widens it by the scale. Pixels outside the image have no weight.
//   A box of the whole image at its own size gives weights 0, 1, 0: every pixel is exactly the byte.
//
// Shapes   images: [n, C, H, W] bytes, four to a word, lowest first: the images first … first + n − 1 of a set;
//          indices: [B];  crops: [B, 5] = (x, y, width, height in source pixels, flip);
//          norm: [C, 2] = (factor, shift);  out: [B, C, size, size].
// Mapping  one invocation an element of `out`; workgroups in rows of x, then y. A dispatch writes the samples whose
//          image lies in its chunk; the loops end at the image's edges.
//          augmentWhole: for crops known to be whole images of the result's size, unflipped: the same bits, read straight.
//          A plane has a multiple of four pixels; one invocation four elements of `out`.
// Source   Keys, Cubic Convolution Interpolation for Digital Image Processing (1981); window and edges as in Pillow,
//          which rounds to bytes after each axis where this does not.

const WORKGROUP: u32 = 256u;

fn cubic(distance: f32) -> f32 {
  let x = abs(distance);
  if (x < 1.0) { return (1.5 * x - 2.5) * x * x + 1.0; }
  if (x < 2.0) { return ((2.5 - 0.5 * x) * x - 4.0) * x + 2.0; }
  return 0.0;
}

// The source pixels first … end − 1 along an axis that an output pixel is made of.
struct Window { centre: f32, stretch: f32, first: u32, end: u32 }

fn windowAt(i: u32, start: f32, extent: f32, source: u32) -> Window {
  // Not left to the division, which need not be exact.
  let scale = select(extent / f32(sizes.size), 1.0, extent == f32(sizes.size));
  let centre = start + (f32(i) + 0.5) * scale;
  let stretch = max(scale, 1.0);
  let first = u32(clamp(centre - 2.0 * stretch + 0.5, 0.0, f32(source)));
  let end = u32(clamp(centre + 2.0 * stretch + 0.5, 0.0, f32(source)));
  return Window(centre, stretch, first, end);
}

fn weight(window: Window, i: u32) -> f32 {
  return cubic((f32(i) + 0.5 - window.centre) / window.stretch);
}

fn byteAt(i: u32) -> f32 {
  return f32(extractBits(images[i / 4u], 8u * (i % 4u), 8u));
}

//#kernel augment
@group(0) @binding(0) var<storage, read> images: array<u32>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> crops: array<f32>;
@group(0) @binding(3) var<storage, read> norm: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
struct Sizes { count: u32, first: u32, images: u32, channels: u32, height: u32, width: u32, size: u32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let row = i / sizes.size;
  let plane = row / sizes.size;
  let channel = plane % sizes.channels;
  let sample = plane / sizes.channels;
  // An index below `first` wraps round to a large one.
  let image = indices[sample] - sizes.first;
  if (image >= sizes.images) { return; }

  let crop = sample * 5u;
  var column = i % sizes.size;
  if (crops[crop + 4u] != 0.0) { column = sizes.size - 1u - column; }
  let across = windowAt(column, crops[crop], crops[crop + 2u], sizes.width);
  let down = windowAt(row % sizes.size, crops[crop + 1u], crops[crop + 3u], sizes.height);
  let base = (image * sizes.channels + channel) * sizes.height;

  var sum = 0.0;
  var weights = 0.0;
  for (var y = down.first; y < down.end; y++) {
    var rowSum = 0.0;
    var rowWeights = 0.0;
    for (var x = across.first; x < across.end; x++) {
      let w = weight(across, x);
      rowSum += w * byteAt((base + y) * sizes.width + x);
      rowWeights += w;
    }
    let w = weight(down, y);
    sum += w * clamp(rowSum / rowWeights, 0.0, 255.0);
    weights += w;
  }
  let pixel = clamp(sum / weights, 0.0, 255.0);
  out[i] = pixel * norm[2u * channel] + norm[2u * channel + 1u];
}

//#kernel augmentWhole
@group(0) @binding(0) var<storage, read> images: array<u32>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> norm: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;
struct Sizes { count: u32, first: u32, images: u32, channels: u32, height: u32, width: u32, size: u32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (4u * i >= sizes.count) { return; }
  let words = sizes.height * sizes.width / 4u;
  let plane = i / words;
  let channel = plane % sizes.channels;
  let image = indices[plane / sizes.channels] - sizes.first;
  if (image >= sizes.images) { return; }
  let bytes = images[(image * sizes.channels + channel) * words + i % words];
  let pixels = vec4f((vec4u(bytes) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u));
  out[i] = pixels * norm[2u * channel] + norm[2u * channel + 1u];
}
