// philox/step: which run of a program it is, for what draws random numbers (philox.wgsl).
//
//   step = counter;   counter ← counter + 1
//
// Shapes   counter, step: [1].
// Mapping  one invocation in all. A file of its own, since every program may ask for it and few draw.

//#kernel philoxStep
@group(0) @binding(0) var<storage, read_write> counter: array<u32>;
@group(0) @binding(1) var<storage, read_write> step: array<u32>;

@compute @workgroup_size(1)
fn main() {
  step[0] = counter[0];
  counter[0] += 1u;
}
