// pool2d: the largest or the mean element of each window of a plane.
//
//   maxPoolForward   y = max over the window, and which element of the plane it is: the first of several, as in PyTorch
//   maxPoolBackward  dx (+)= Σ dy over the windows whose largest element this is
//   avgPoolForward   y = Σ over the window / divisor: elements of the window, those of padding too where COUNT_PAD, else without
//   avgPoolBackward  dx (+)= Σ dy / divisor over the windows that hold the element
//
// Shapes   x, dx [planes, height, width];  y, dy and places (u32, an index in the plane) [planes, outHeight, outWidth].
// Mapping  one invocation an element of what is written; workgroups in rows of x, then y. On the way back each element looks at
//          the windows that hold it, line by line: no atomics, and an order of the sum that the shapes fix.

struct Sizes {
  count: u32,
  height: u32, width: u32, outHeight: u32, outWidth: u32,
  down: u32, across: u32,
  strideY: u32, strideX: u32, padY: u32, padX: u32, dilationY: u32, dilationX: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;

fn size() -> vec2i { return vec2i(vec2u(sizes.height, sizes.width)); }
fn outSize() -> vec2i { return vec2i(vec2u(sizes.outHeight, sizes.outWidth)); }
fn window() -> vec2i { return vec2i(vec2u(sizes.down, sizes.across)); }
fn stride() -> vec2i { return vec2i(vec2u(sizes.strideY, sizes.strideX)); }
fn pad() -> vec2i { return vec2i(vec2u(sizes.padY, sizes.padX)); }
fn dilation() -> vec2i { return vec2i(vec2u(sizes.dilationY, sizes.dilationX)); }

/// Plane, line and column of an element in planes of `size`.
fn placeOf(i: u32, size: vec2i) -> vec3i {
  let width = u32(size.y);
  let line = i / width;
  return vec3i(vec3u(line / u32(size.x), line % u32(size.x), i % width));
}

/// Elements by which a window's sum is divided.
fn divisor(first: vec2i, countPad: bool) -> f32 {
  let inside = min(first + window(), size()) - max(first, vec2i());
  let held = select(inside, window(), countPad);
  return f32(held.x * held.y);
}

/// The first and the last window, of lines and of columns, that may hold an element.
fn firstHolder(at: vec2i) -> vec2i {
  let lowest = max(at + pad() - dilation() * (window() - 1), vec2i());
  return (lowest + stride() - 1) / stride();
}
fn lastHolder(at: vec2i) -> vec2i { return min((at + pad()) / stride(), outSize() - 1); }

//#kernel maxPoolForward
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> places: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  let at = placeOf(i, outSize());
  let first = at.yz * stride() - pad();
  let plane = u32(at.x) * sizes.height * sizes.width;
  var found = false;
  var largest = 0.0;
  var place = 0u;
  for (var line = 0; line < window().x; line++) {
    for (var column = 0; column < window().y; column++) {
      let pixel = first + vec2i(line, column) * dilation();
      if (any(pixel < vec2i()) || any(pixel >= size())) { continue; }
      let own = u32(pixel.x) * sizes.width + u32(pixel.y);
      let value = x[plane + own];
      let isNan = (bitcast<u32>(value) & 0x7fffffff) > 0x7f800000; // wins, as in PyTorch
      if (!found || value > largest || isNan) {
        largest = value;
        place = own;
      }
      found = true;
    }
  }
  y[i] = largest;
  places[i] = place;
}

//#kernel maxPoolBackward
//#param ACCUMULATE: bool
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> places: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  let at = placeOf(i, size());
  let own = u32(at.y) * sizes.width + u32(at.z);
  let plane = u32(at.x) * sizes.outHeight * sizes.outWidth;
  let first = firstHolder(at.yz);
  let last = lastHolder(at.yz);
  var sum = 0.0;
  for (var line = first.x; line <= last.x; line++) {
    for (var column = first.y; column <= last.y; column++) {
      let holder = plane + u32(line) * sizes.outWidth + u32(column);
      if (places[holder] == own) { sum += dy[holder]; }
    }
  }
  //#if ACCUMULATE
  dx[i] += sum;
  //#else
  dx[i] = sum;
  //#end
}

//#kernel avgPoolForward
//#param COUNT_PAD: bool
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  let at = placeOf(i, outSize());
  let first = at.yz * stride() - pad();
  let begin = max(first, vec2i());
  let end = min(first + window(), size());
  var sum = 0.0;
  for (var line = begin.x; line < end.x; line++) {
    for (var column = begin.y; column < end.y; column++) {
      sum += x[(u32(at.x) * sizes.height + u32(line)) * sizes.width + u32(column)];
    }
  }
  y[i] = sum / divisor(first, COUNT_PAD);
}

//#kernel avgPoolBackward
//#param COUNT_PAD: bool
//#param ACCUMULATE: bool
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  let at = placeOf(i, size());
  let plane = u32(at.x) * sizes.outHeight * sizes.outWidth;
  let first = firstHolder(at.yz);
  let last = lastHolder(at.yz);
  var sum = 0.0;
  for (var line = first.x; line <= last.x; line++) {
    for (var column = first.y; column <= last.y; column++) {
      let share = dy[plane + u32(line) * sizes.outWidth + u32(column)];
      sum += share / divisor(vec2i(line, column) * stride() - pad(), COUNT_PAD);
    }
  }
  //#if ACCUMULATE
  dx[i] += sum;
  //#else
  dx[i] = sum;
  //#end
}
