// mixture: blends pairs of images and sorts each pair by its weight.
//
//   mixed[s] = α·I1[s] + (1 − α)·I2[s],   α = alpha[s], or alpha[0] for all
//   targets = the subordinates (I1 where α ≤ 1 − α, else I2), then, with DOMINANT, the dominants (the other)
//
// Shapes   image1, image2, mixed: [S, ...];  targets: [2S, ...] with DOMINANT, else [S, ...];  alpha: [1] or [S].
//          `span` cells share an α, `count` cells are in S images; a cell is a vec4f with VEC, else an f32.
// Mapping  one invocation a cell of the images; workgroups in rows of x, then y.
// Source   i-MAE: Are Latent Representations in Masked Autoencoders Linearly Separable? (2022).

const WORKGROUP: u32 = 256u;

//#if VEC
alias Cell = vec4f;
//#else
alias Cell = f32;
//#end

//#kernel mixture
//#param VEC: bool
//#param DOMINANT: bool
@group(0) @binding(0) var<storage, read> image1: array<Cell>;
@group(0) @binding(1) var<storage, read> image2: array<Cell>;
@group(0) @binding(2) var<storage, read> alpha: array<f32>;
@group(0) @binding(3) var<storage, read_write> mixed: array<Cell>;
@group(0) @binding(4) var<storage, read_write> targets: array<Cell>;
struct Sizes { count: u32, span: u32 }
@group(0) @binding(5) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= sizes.count) { return; }
  let weight1 = alpha[i / sizes.span];
  let weight2 = 1.0 - weight1;
  let one = image1[i];
  let two = image2[i];
  let ascending = weight1 <= weight2;
  mixed[i] = weight1 * one + weight2 * two;
  targets[i] = select(two, one, ascending);
  //#if DOMINANT
  targets[sizes.count + i] = select(one, two, ascending);
  //#end
}
