// patchify: images as rows of patches, and back. Each kernel is the other's adjoint, so each is the other's backward.
//
//   patchify     patches[s, k, e] = images[s, channel, y, x]
//   unpatchify   images[s, channel, y, x] = patches[s, k, e], or 0 where k ≥ keep
//
//   Patch p of a W/P patches wide grid: y = P·⌊p / (W/P)⌋ + row, x = P·(p mod W/P) + column. Place k holds patch p = k,
//   or with VISIBLE p = ids[s mod idRows, k].
//   e counts a patch's elements in the order (channel, row, column) with CHANNELS_FIRST, else (row, column, channel).
//
// Shapes   images: [S, C, H, W];  patches: [S, keep, P·P·C];  ids: [idRows, L], rows are permutations; L = (H/P)·(W/P).
// Mapping  one invocation a cell of a place: four elements (VEC: CHANNELS_FIRST, and P a multiple of four, so that they are
//          neighbours in the image as well) or one; workgroups in rows of x, then y. patchify visits keep places a sample.
//          unpatchify visits all L, the whole permutation, so that every element of the images is written once and no
//          inverse of it is needed; where it adds, the first keep are enough.

//#if VEC
alias Cell = vec4f;
const CELL: u32 = 4u;
//#else
alias Cell = f32;
const CELL: u32 = 1u;
//#end
const WORKGROUP: u32 = 256u;
const PATCH_SIZE: u32 = PATCH * PATCH * CHANNELS;

struct Sizes { count: u32, places: u32, keep: u32, height: u32, width: u32, idRows: u32 }

struct Place { sample: u32, k: u32, e: u32 }

fn placeOf(i: u32) -> Place {
  let row = i / PATCH_SIZE;
  return Place(row / sizes.places, row % sizes.places, i % PATCH_SIZE);
}

fn patchIndex(place: Place) -> u32 {
  return (place.sample * sizes.keep + place.k) * PATCH_SIZE + place.e;
}

fn imageIndex(place: Place) -> u32 {
  //#if CHANNELS_FIRST
  let channel = place.e / (PATCH * PATCH);
  let pixel = place.e % (PATCH * PATCH);
  //#else
  let channel = place.e % CHANNELS;
  let pixel = place.e / CHANNELS;
  //#end
  let grid = vec2u(sizes.width, sizes.height) / PATCH;
  //#if VISIBLE
  let p = ids[(place.sample % sizes.idRows) * grid.x * grid.y + place.k];
  //#else
  let p = place.k;
  //#end
  let y = p / grid.x * PATCH + pixel / PATCH;
  let x = p % grid.x * PATCH + pixel % PATCH;
  return ((place.sample * CHANNELS + channel) * sizes.height + y) * sizes.width + x;
}

//#kernel patchify
//#param PATCH: u32
//#param CHANNELS: u32
//#param CHANNELS_FIRST: bool
//#param VISIBLE: bool
//#param VEC: bool
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> images: array<Cell>;
@group(0) @binding(1) var<storage, read_write> patches: array<Cell>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
//#if VISIBLE
@group(0) @binding(3) var<storage, read> ids: array<u32>;
//#end

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = (id.x + id.y * groups.x * WORKGROUP) * CELL;
  if (i >= sizes.count) { return; }
  let place = placeOf(i);
  //#if ACCUMULATE
  patches[patchIndex(place) / CELL] += images[imageIndex(place) / CELL];
  //#else
  patches[patchIndex(place) / CELL] = images[imageIndex(place) / CELL];
  //#end
}

//#kernel unpatchify
//#param PATCH: u32
//#param CHANNELS: u32
//#param CHANNELS_FIRST: bool
//#param VISIBLE: bool
//#param VEC: bool
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> patches: array<Cell>;
@group(0) @binding(1) var<storage, read_write> images: array<Cell>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
//#if VISIBLE
@group(0) @binding(3) var<storage, read> ids: array<u32>;
//#end

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = (id.x + id.y * groups.x * WORKGROUP) * CELL;
  if (i >= sizes.count) { return; }
  let place = placeOf(i);
  var value = Cell();
  if (place.k < sizes.keep) { value = patches[patchIndex(place) / CELL]; }
  //#if ACCUMULATE
  images[imageIndex(place) / CELL] += value;
  //#else
  images[imageIndex(place) / CELL] = value;
  //#end
}
