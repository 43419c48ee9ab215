// picture: between pictures, which are textures, and tensors [C, H, W] of f32, whose values are those that a shader reads of
// the texture: 0 to 1 for `unorm` formats; for `-srgb` formats, linear light. C is 1 (grey), 3 or 4.
//
//   pictureToTensor   tensor[c, y, x] = texel(x, y)[c]; grey = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601, as Pillow and
//                     torchvision have it)
//   tensorToPicture   pixel(x, y) = tensor[·, ⌊y·H/height⌋, ⌊x·W/width⌋]: grey thrice, alpha 1 where C < 4
//
// Mapping  pictureToTensor: one invocation a texel, in workgroups of 8×8. tensorToPicture: a triangle that covers the target,
//          one invocation a pixel; a render pass writes formats that no kernel can store to, a canvas's among them.
//
// It is no kernel of the preprocessor: it binds textures.

struct Sizes {
  channels: u32,
  height: u32,
  width: u32,
  /// Of the target, in pixels.
  targetHeight: u32,
  targetWidth: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var picture: texture_2d<f32>;
@group(0) @binding(2) var<storage, read_write> written: array<f32>;
@group(0) @binding(3) var<storage, read> tensor: array<f32>;

@compute @workgroup_size(8, 8)
fn pictureToTensor(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sizes.width || id.y >= sizes.height) { return; }
  let texel = textureLoad(picture, id.xy, 0);
  let at = id.y * sizes.width + id.x;
  let plane = sizes.height * sizes.width;
  if (sizes.channels == 1) {
    written[at] = dot(texel.rgb, vec3f(0.299, 0.587, 0.114));
    return;
  }
  for (var c = 0u; c < sizes.channels; c++) {
    written[c * plane + at] = texel[c];
  }
}

@vertex
fn wholeTarget(@builtin(vertex_index) corner: u32) -> @builtin(position) vec4f {
  return vec4f(f32(corner & 1) * 4 - 1, f32(corner >> 1) * 4 - 1, 0, 1);
}

@fragment
fn tensorToPicture(@builtin(position) position: vec4f) -> @location(0) vec4f {
  let x = u32(position.x) * sizes.width / sizes.targetWidth;
  let y = u32(position.y) * sizes.height / sizes.targetHeight;
  let at = y * sizes.width + x;
  let plane = sizes.height * sizes.width;
  let first = tensor[at];
  if (sizes.channels == 1) { return vec4f(first, first, first, 1); }
  let rgb = vec3f(first, tensor[plane + at], tensor[2 * plane + at]);
  if (sizes.channels == 3) { return vec4f(rgb, 1); }
  return vec4f(rgb, tensor[3 * plane + at]);
}
