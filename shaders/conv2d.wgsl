// conv2d: two-dimensional convolution (cross-correlation) and its two adjoints, as products whose operands are never laid out
// (implicit GEMM: Chetlur et al. 2014, cuDNN).
//
//   convForward      y[b, o, p, q] = Σ_c,i,j w[o, c, i, j] · x[b, c, p·stride + i·dilation − pad, q·… + j·… − …] + bias[o]
//   convTransposed   x[b, c, v, u] = Σ_o,i,j w[o, c, i, j] · y[b, o, (v + pad − i·dilation)/stride, …] where that is whole, + bias[c]
//   convWeight       w[o, c, i, j] = Σ_b,p,q y[b, o, p, q] · x[b, c, p·stride + i·dilation − pad, …];  SUMS: sums[o] = Σ_b,p,q y[b, o, p, q]
//
// convTransposed gives the gradient of a convolution's input and is the transposed convolution, whose input's gradient is convForward.
//
// Shapes   the large side x [images, channels, height, width], the small side y [images, maps, outHeight, outWidth],
//          w [maps, channels / groups, down, across]; group g has the g-th run of channels and of maps. Outside of x are zeros.
// Mapping  products [m, k]·[k, n], one a group (a batch), on the tiles of batchedMatmul.wgsl:
//          convForward      m: maps of the group       n: images and places of y    k: channels of the group, i, j
//          convTransposed   m: channels of the group   n: images and places of x    k: maps of the group, i, j
//          convWeight       m: maps of the group       n: channels, i, j            k: images and places of y
//                           SUMS: another column, of ones, gives the gradient of the bias
//          The gathered operand lies at (offset, line, column) = place + term (or − term). What its divisions give of a place,
//          an invocation keeps.

//#use batchedMatmul

struct Sizes {
  batches: u32, m: u32, n: u32, k: u32, kSplit: u32, splits: u32, count: u32,
  channels: u32, height: u32, width: u32,
  maps: u32, outHeight: u32, outWidth: u32,
  down: u32, across: u32,
  strideY: u32, strideX: u32, padY: u32, padX: u32, dilationY: u32, dilationX: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

/// The place of image and pixel `at` in planes of `width` columns: image, line, column.
fn pixelOf(at: u32, height: u32, width: u32) -> vec3u {
  let line = at / width;
  return vec3u(line / height, line % height, at % width);
}

/// Channel or map, and the line and column that a term of the window is away.
fn tapOf(term: u32) -> vec3u {
  let line = term / sizes.across;
  return vec3u(line / sizes.down, line % sizes.down * sizes.dilationY, term % sizes.across * sizes.dilationX);
}

/// x at an offset of its plane; 0 outside.
fn pixel(at: vec3i) -> f32 {
  if (at.y < 0 || at.y >= i32(sizes.height) || at.z < 0 || at.z >= i32(sizes.width)) { return 0; }
  return b[u32(at.x) + u32(at.y) * sizes.width + u32(at.z)];
}

/// Both terms of a product.
struct Term { a: u32, b: vec3i }

/// The place in the window after one: that of the next channel or map, `plane` on, after the last.
fn nextTap(at: vec3i, plane: u32) -> vec3i {
  var next = at + vec3i(0, 0, i32(sizes.dilationX));
  if (next.z < i32(sizes.across * sizes.dilationX)) { return next; }
  next = vec3i(at.x, at.y + i32(sizes.dilationY), 0);
  if (next.y < i32(sizes.down * sizes.dilationY)) { return next; }
  return vec3i(at.x + i32(plane), 0, 0);
}

fn plane() -> u32 { return sizes.height * sizes.width; }
fn outPlane() -> u32 { return sizes.outHeight * sizes.outWidth; }
fn window() -> u32 { return sizes.down * sizes.across; }
fn pad() -> vec3i { return vec3i(0, i32(sizes.padY), i32(sizes.padX)); }
fn stride() -> vec3u { return vec3u(1, sizes.strideY, sizes.strideX); }

//#kernel convForward
//#param BIAS: bool
//#if BIAS
@group(0) @binding(4) var<storage, read> bias: array<f32>;
//#end
fn placeA(batch: u32, row: u32) -> u32 { return (batch * sizes.m + row) * sizes.k; }
fn termA(term: u32) -> u32 { return term; }
fn loadA(place: u32, term: u32) -> f32 { return a[place + term]; }
fn runsA() -> bool { return true; }
fn placeB(batch: u32, column: u32) -> vec3i {
  let at = pixelOf(column, sizes.outHeight, sizes.outWidth);
  let first = (at.x * sizes.channels + batch * (sizes.channels / sizes.batches)) * plane();
  return vec3i(vec3u(first, at.yz * stride().yz)) - pad();
}
fn termB(term: u32) -> vec3i {
  let tap = tapOf(term);
  return vec3i(vec3u(tap.x * plane(), tap.yz));
}
fn termOf(term: u32) -> Term { return Term(term, termB(term)); }
fn following(term: Term, next: u32) -> Term { return Term(next, nextTap(term.b, plane())); }
fn loadB(place: vec3i, term: vec3i) -> f32 { return pixel(place + term); }
fn runsB() -> bool { return false; }
fn columnPlace(batch: u32, column: u32) -> u32 {
  return (column / outPlane() * sizes.maps + batch * sizes.m) * outPlane() + column % outPlane();
}
fn keep(tile: Tile, row: u32, column: u32, at: u32, sum: f32) {
  //#if BIAS
  put(at + row * outPlane(), select(sum, sum + bias[tile.batch * sizes.m + row], tile.split == 0));
  //#else
  put(at + row * outPlane(), sum);
  //#end
}

//#kernel convTransposed
//#param BIAS: bool
//#param STRIDED: bool
//#if BIAS
@group(0) @binding(4) var<storage, read> bias: array<f32>;
//#end
fn placeA(batch: u32, row: u32) -> u32 { return (batch * (sizes.maps / sizes.batches) * sizes.m + row) * window(); }
fn termA(term: u32) -> u32 { return term / window() * sizes.m * window() + term % window(); }
fn loadA(place: u32, term: u32) -> f32 { return a[place + term]; }
fn runsA() -> bool { return true; }
fn placeB(batch: u32, column: u32) -> vec3i {
  let at = pixelOf(column, sizes.height, sizes.width);
  let first = (at.x * sizes.maps + batch * (sizes.maps / sizes.batches)) * outPlane();
  return vec3i(vec3u(first, at.yz)) + pad();
}
fn termB(term: u32) -> vec3i {
  let tap = tapOf(term);
  return vec3i(vec3u(tap.x * outPlane(), tap.yz));
}
fn termOf(term: u32) -> Term { return Term(termA(term), termB(term)); }
fn following(term: Term, next: u32) -> Term {
  let b = nextTap(term.b, outPlane());
  return Term(select(term.a + 1, term.a + 1 + (sizes.m - 1) * window(), b.x != term.b.x), b);
}
fn loadB(place: vec3i, term: vec3i) -> f32 {
  let far = place.yz - term.yz;
  if (far.x < 0 || far.y < 0) { return 0; }
  //#if STRIDED
  let at = vec2u(far) / stride().yz;
  if (any(at * stride().yz != vec2u(far))) { return 0; }
  //#else
  let at = vec2u(far);
  //#end
  if (at.x >= sizes.outHeight || at.y >= sizes.outWidth) { return 0; }
  return b[u32(place.x + term.x) + at.x * sizes.outWidth + at.y];
}
fn runsB() -> bool { return false; }
fn columnPlace(batch: u32, column: u32) -> u32 {
  return (column / plane() * sizes.channels + batch * sizes.m) * plane() + column % plane();
}
fn keep(tile: Tile, row: u32, column: u32, at: u32, sum: f32) {
  //#if BIAS
  put(at + row * plane(), select(sum, sum + bias[tile.batch * sizes.m + row], tile.split == 0));
  //#else
  put(at + row * plane(), sum);
  //#end
}

//#kernel convWeight
//#param SUMS: bool
//#param ACCUMULATE_SUMS: bool
//#if SUMS
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
//#end
fn placeA(batch: u32, row: u32) -> u32 { return (batch * sizes.m + row) * outPlane(); }
fn termA(term: u32) -> u32 { return term / outPlane() * sizes.maps * outPlane() + term % outPlane(); }
fn loadA(place: u32, term: u32) -> f32 { return a[place + term]; }
fn runsA() -> bool { return true; }
/// Columns that are weights; SUMS: after them comes one of ones.
fn weights() -> u32 { return sizes.channels / sizes.batches * window(); }
const ONES = vec3i(-1, 0, 0);
fn placeB(batch: u32, column: u32) -> vec3i {
  if (column == weights()) { return ONES; }
  let tap = tapOf(column);
  let channel = batch * (sizes.channels / sizes.batches) + tap.x;
  return vec3i(vec3u(channel * plane(), tap.yz)) - pad();
}
fn termB(term: u32) -> vec3i {
  let at = pixelOf(term, sizes.outHeight, sizes.outWidth);
  return vec3i(vec3u(at.x * sizes.channels * plane(), at.yz * stride().yz));
}
fn termOf(term: u32) -> Term { return Term(termA(term), termB(term)); }
fn following(term: Term, next: u32) -> Term {
  var b = term.b + vec3i(0, 0, i32(sizes.strideX));
  if (b.z < i32(sizes.outWidth * sizes.strideX)) { return Term(term.a + 1, b); }
  b = vec3i(term.b.x, term.b.y + i32(sizes.strideY), 0);
  if (b.y < i32(sizes.outHeight * sizes.strideY)) { return Term(term.a + 1, b); }
  b = vec3i(term.b.x + i32(sizes.channels * plane()), 0, 0);
  return Term(term.a + 1 + (sizes.maps - 1) * outPlane(), b);
}
fn loadB(place: vec3i, term: vec3i) -> f32 {
  //#if SUMS
  if (place.x < 0) { return 1; }
  //#end
  return pixel(place + term);
}
fn runsB() -> bool { return true; }
fn columnPlace(batch: u32, column: u32) -> u32 { return batch * sizes.m * weights() + column; }
fn keep(tile: Tile, row: u32, column: u32, at: u32, sum: f32) {
  //#if SUMS
  if (column == weights()) {
    let map = tile.split * sizes.maps + tile.batch * sizes.m + row;
    //#if ACCUMULATE_SUMS
    sums[map] += sum;
    //#else
    sums[map] = sum;
    //#end
    return;
  }
  //#end
  put(at + row * weights(), sum);
}
