// ceiling: how fast an adapter can go at most, by kind of work. Each probe does nothing but its own work, as much of it at
// once as the adapter takes, and leaves a result that is known exactly and only comes out if all of the work was done.
//
//   peakFma        x ← x·a + b in CHAINS independent chains of WIDTH elements, in registers, in f32 or f16
//   peakMatrix     C ← A·B + C in CHAINS independent chains of a subgroup's matrices, in f32 or f16
//   peakCopy       y = x, 16 bytes at a time
//   peakWorkgroup  Σ of what lies in workgroup memory, read over and over, 16 bytes at a time
//   peakDispatch   one number, counted up: each dispatch must wait for the one before it
//
// a = 1, b = 1 and other constants come as uniforms, or a compiler would see through the sums: then x = seed + the number of
// products done, which f16 holds exactly up to 2048. So after every 1024 of them, 1023 are taken off again.

// `out` [invocations]: 1 + rounds times WIDTH · CHAINS, and the chains' numbers 0 … CHAINS − 1.
// One invocation does rounds · 1024 · CHAINS · WIDTH multiply-adds, UNROLL (a divisor of 1024) a chain and turn of the loop.
//#kernel peakFma
//#param HALF: bool
//#param WIDTH: u32
//#param CHAINS: u32
//#param UNROLL: u32
//#if HALF
//#enable f16
alias Scalar = f16;
//#else
alias Scalar = f32;
//#end
//#if WIDTH == 1
alias Cell = Scalar;
//#else
alias Cell = vec${WIDTH}<Scalar>;
//#end
struct Sizes { rounds: u32, factor: f32, term: f32, drop: f32 }
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = Cell(Scalar(sizes.factor));
  let b = Cell(Scalar(sizes.term));
  let drop = Cell(Scalar(sizes.drop));
  //#for C in 0..CHAINS: var x${C} = a + Cell(Scalar(${C}));
  for (var round = 0u; round < sizes.rounds; round++) {
    for (var i = 0u; i < ${1024 / UNROLL}u; i++) {
      //#for STEP in 0..UNROLL, C in 0..CHAINS: x${C} = fma(x${C}, a, b);
    }
    //#for C in 0..CHAINS: x${C} -= drop;
  }
  var sum = 0.0;
  //#for C in 0..CHAINS
  //#if WIDTH == 1
  sum += f32(x${C});
  //#else
  sum += dot(vec${WIDTH}f(x${C}), vec${WIDTH}f(1));
  //#end
  //#end for C
  out[id.x] = sum;
}

// `out` [workgroups, CHAINS, M, N]: rounds · K. A is M × K and B is K × N, of ones, which `ones` holds enough of. A workgroup
// is one subgroup of at most LANES, the most that there are; it does rounds · CHAINS products of two such matrices.
//#kernel peakMatrix
//#enable subgroupMatrix
//#enable subgroups
//#enable f16
//#param M: u32
//#param N: u32
//#param K: u32
//#param CHAINS: u32
//#param LANES: u32
struct Sizes { rounds: u32 }
@group(0) @binding(0) var<storage, read> ones: array<f16>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u) {
  let a = subgroupMatrixLoad<subgroup_matrix_left<f16, ${K}, ${M}>, row_major>(&ones, 0u, K);
  let b = subgroupMatrixLoad<subgroup_matrix_right<f16, ${N}, ${K}>, row_major>(&ones, 0u, N);
  //#for C in 0..CHAINS: var c${C} = subgroup_matrix_result<f32, ${N}, ${M}>();
  for (var round = 0u; round < sizes.rounds; round++) {
    //#for C in 0..CHAINS: c${C} = subgroupMatrixMultiplyAccumulate(a, b, c${C});
  }
  //#for C in 0..CHAINS: subgroupMatrixStore<row_major>(&out, (group.x * CHAINS + ${C}u) * M * N, c${C}, N);
}

// `y` [count · 4] = `x`. An invocation copies EACH vectors, a whole grid apart.
//#kernel peakCopy
//#param EACH: u32
struct Sizes { count: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let stride = groups.x * groups.y * 256u;
  let first = id.x + id.y * groups.x * 256u;
  //#for I in 0..EACH
  if (first + ${I}u * stride < sizes.count) { y[first + ${I}u * stride] = x[first + ${I}u * stride]; }
  //#end
}

// `out` [invocations]: 16 · UNROLL · rounds: workgroup memory holds ones, and an invocation reads 4 · UNROLL vectors a round.
// Where it reads depends on the round, or once would be enough.
//#kernel peakWorkgroup
//#param LANES: u32
//#param UNROLL: u32
struct Sizes { rounds: u32, one: f32 }
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<uniform> sizes: Sizes;
const SHARED = 512u;
var<workgroup> lines: array<vec4f, SHARED>;

@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) local: u32) {
  for (var i = local; i < SHARED; i += LANES) { lines[i] = vec4f(sizes.one); }
  workgroupBarrier();
  //#for C in 0..4: var sum${C} = vec4f(0);
  for (var round = 0u; round < sizes.rounds; round++) {
    //#for STEP in 0..UNROLL, C in 0..4: sum${C} += lines[(local + round * 32u + ${32 * (4 * STEP + C)}u) % SHARED];
  }
  out[id.x] = dot(sum0 + sum1 + sum2 + sum3, vec4f(1));
}

// `count` [1]: one more than it was; 1 where `first` is not 0.
//#kernel peakDispatch
struct Sizes { first: u32 }
@group(0) @binding(0) var<storage, read_write> count: array<u32>;
@group(0) @binding(1) var<uniform> sizes: Sizes;

@compute @workgroup_size(1)
fn main() {
  count[0] = select(count[0] + 1u, 1u, sizes.first != 0u);
}
