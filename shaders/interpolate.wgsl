// interpolate: planes at another size, each output between the four elements around it, or the nearest of them.
//
//   place of an output along an axis   s = max((i + shift)·scale − shift, 0), between ⌊s⌋ and its neighbour, by s − ⌊s⌋;
//                                      NEAREST: ⌊i·size / outSize⌋, in whole numbers
//   forward                            y = Σ weights · x, of lines, then of columns
//   backward                           dx (+)= Σ weights · dy, over the outputs that look at the element
//
// Where corners are pixels' centres (align_corners), shift = 0 and scale = (size − 1)/(outSize − 1); else 1/2 and size/outSize.
//
// Shapes   x, dx [planes, height, width];  y, dy [planes, outHeight, outWidth].
// Mapping  one invocation an element of what is written; workgroups in rows of x, then y. On the way back an element tries the
//          outputs that may look at it, line by line: no atomics, and an order of the sum that the shapes fix.

//#param NEAREST: bool
struct Sizes {
  count: u32,
  height: u32, width: u32, outHeight: u32, outWidth: u32,
  scaleY: f32, scaleX: f32, shift: f32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;

/// Where an output lies along an axis: between two elements, and how much of the second it takes.
struct Source { first: u32, second: u32, part: f32 }

fn sourceOf(at: u32, size: u32, outSize: u32, scale: f32) -> Source {
  //#if NEAREST
  let nearest = at * size / outSize;
  return Source(nearest, nearest, 0);
  //#else
  let place = max((f32(at) + sizes.shift) * scale - sizes.shift, 0);
  let first = min(u32(place), size - 1);
  return Source(first, min(first + 1, size - 1), min(place - f32(first), 1));
  //#end
}

/// How much an output takes of an element.
fn weightOf(source: Source, own: u32) -> f32 {
  return select(0.0, 1 - source.part, source.first == own) + select(0.0, source.part, source.second == own);
}

/// The first output that may look at an element, and the one after the last.
fn lookers(own: u32, outSize: u32, scale: f32) -> vec2u {
  if (scale == 0) { return vec2u(0, outSize); }
  let low = (f32(own) - 1 + sizes.shift) / scale - sizes.shift - 1;
  let high = (f32(own) + 1 + sizes.shift) / scale - sizes.shift + 2;
  return vec2u(u32(max(low, 0)), min(u32(max(high, 0)) + 1, outSize));
}

//#kernel interpolateForward
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  let line = i / sizes.outWidth;
  let down = sourceOf(line % sizes.outHeight, sizes.height, sizes.outHeight, sizes.scaleY);
  let across = sourceOf(i % sizes.outWidth, sizes.width, sizes.outWidth, sizes.scaleX);
  let plane = line / sizes.outHeight * sizes.height;
  let above = (plane + down.first) * sizes.width;
  //#if NEAREST
  y[i] = x[above + across.first];
  //#else
  let below = (plane + down.second) * sizes.width;
  let first = mix(x[above + across.first], x[above + across.second], across.part);
  let second = mix(x[below + across.first], x[below + across.second], across.part);
  y[i] = mix(first, second, down.part);
  //#end
}

//#kernel interpolateBackward
//#param ACCUMULATE: bool
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  let line = i / sizes.width % sizes.height;
  let column = i % sizes.width;
  let plane = i / sizes.width / sizes.height * sizes.outHeight;
  let lines = lookers(line, sizes.outHeight, sizes.scaleY);
  let columns = lookers(column, sizes.outWidth, sizes.scaleX);
  var sum = 0.0;
  for (var p = lines.x; p < lines.y; p++) {
    let ofLine = weightOf(sourceOf(p, sizes.height, sizes.outHeight, sizes.scaleY), line);
    if (ofLine == 0) { continue; }
    for (var q = columns.x; q < columns.y; q++) {
      let weight = ofLine * weightOf(sourceOf(q, sizes.width, sizes.outWidth, sizes.scaleX), column);
      if (weight != 0) { sum += weight * dy[(plane + p) * sizes.outWidth + q]; }
    }
  }
  //#if ACCUMULATE
  dx[i] += sum;
  //#else
  dx[i] = sum;
  //#end
}
