// The second stage of sums in fixed order: out[i] (+)= Σ_s partials[s, i], in the order of s.
//
// Shapes   partials [splits, count], out [count]; SECOND: another pair of the same splits besides, in the same dispatch
//          (a matrix product that was split along k leaves the partial sums of its own elements, and of its A's). OUT16: out is f16.
// Mapping  one invocation an element, those of the second pair after those of the first; workgroups in rows of x, then y.
//#kernel splitKReduce
//#param SECOND: bool
//#param OUT16: bool
//#param ACCUMULATE: bool
//#param ACCUMULATE_SECOND: bool
//#if OUT16
//#enable f16
alias Element = f16;
//#else
alias Element = f32;
//#end
struct Sizes {
  splits: u32,
  count: u32,
  countSecond: u32,
}

@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<Element>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
//#if SECOND
@group(0) @binding(3) var<storage, read> partialsSecond: array<f32>;
@group(0) @binding(4) var<storage, read_write> outSecond: array<f32>;
//#end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < sizes.count) {
    var sum = 0.0;
    for (var s = 0u; s < sizes.splits; s++) {
      sum += partials[s * sizes.count + i];
    }
    //#if ACCUMULATE
    sum += f32(out[i]);
    //#end
    out[i] = Element(sum);
  }
  //#if SECOND
  if (i >= sizes.count && i - sizes.count < sizes.countSecond) {
    let j = i - sizes.count;
    var sum = 0.0;
    for (var s = 0u; s < sizes.splits; s++) {
      sum += partialsSecond[s * sizes.countSecond + j];
    }
    //#if ACCUMULATE_SECOND
    sum += outSecond[j];
    //#end
    outSecond[j] = sum;
  }
  //#end if SECOND
}
