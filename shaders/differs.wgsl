// differs: looks for a number of x that is not what the reference kernels make of the same operands, beyond rounding.
//
//   |x − reference| > unit · (max |reference| + max |moved − reference| / shift) + tiny
//
// `moved` is what the reference kernels make of operands of which each was changed by a part `shift` of itself, up or down at
// random (perturb): it tells how much rounding of what goes in can do to what comes out, also where sums cancel. Monte Carlo
// arithmetic (Parker 1997). Where one is finite and the other is not, they differ, unless the finite one is nearly as large as
// its type holds. Told by bits, since a compiler may take for granted that all are finite.
//
// Shapes   x, reference, moved: `count` elements, TYPE 0 of f32, 1 of f16, two to a word, 2 whole numbers, which must be the
//          same. found[8·at …]: how many differ, the first of them, the bits of both (of f32) and of the bound. What an earlier
//          run found stays.
// Mapping  one workgroup, whose invocations take every 256th element: first for the bound, then to compare.
//
// perturb: y = x · (1 ± shift), KIND 1 of f32, 2 of f16; 0: y = x, bit for bit; 3: y = 0.
//
// Shapes   x, y: `count` words.
// Mapping  one invocation a word. The sign is a bit of the hash of the element's number (PCG, Jarzynski and Olano 2020).

//#kernel differs
//#param TYPE: u32
struct Sizes {
  count: u32,
  at: u32,
  unit: f32,
  shift: f32,
  tiny: f32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> reference: array<u32>;
@group(0) @binding(2) var<storage, read> moved: array<u32>;
@group(0) @binding(3) var<storage, read_write> found: array<u32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

const GROUP = 256u;
//#if TYPE == 1
const LARGEST = 65504.0;
//#else
const LARGEST = 3.4028234e38;
//#end

var<workgroup> scales: array<f32, GROUP>;
var<workgroup> moves: array<f32, GROUP>;
var<workgroup> counts: array<u32, GROUP>;
var<workgroup> firsts: array<u32, GROUP>;

/// Element i, as f32, of the word that it lies in.
fn element(word: u32, i: u32) -> f32 {
  //#if TYPE == 1
  return unpack2x16float(word)[i & 1];
  //#else
  return bitcast<f32>(word);
  //#end
}

fn wordOf(i: u32) -> u32 {
  //#if TYPE == 1
  return i / 2;
  //#else
  return i;
  //#end
}

fn isFinite(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000) != 0x7f800000;
}

fn differ(i: u32, bound: f32) -> bool {
  //#if TYPE == 2
  return x[i] != reference[i];
  //#else
  let a = element(x[wordOf(i)], i);
  let b = element(reference[wordOf(i)], i);
  if (isFinite(a) && isFinite(b)) { return abs(a - b) > bound; }
  if (isFinite(a)) { return abs(a) < LARGEST - bound; }
  return isFinite(b) && abs(b) < LARGEST - bound;
  //#end
}

@compute @workgroup_size(GROUP)
fn main(@builtin(local_invocation_index) local: u32) {
  var scale = 0.0;
  var shifted = 0.0;
  for (var i = local; i < sizes.count; i += GROUP) {
    let value = element(reference[wordOf(i)], i);
    if (isFinite(value)) { scale = max(scale, abs(value)); }
    let change = element(moved[wordOf(i)], i) - value;
    if (isFinite(change)) { shifted = max(shifted, abs(change)); }
  }
  scales[local] = scale;
  moves[local] = shifted;
  workgroupBarrier();
  for (var half = GROUP / 2; half > 0; half /= 2) {
    if (local < half) {
      scales[local] = max(scales[local], scales[local + half]);
      moves[local] = max(moves[local], moves[local + half]);
    }
    workgroupBarrier();
  }
  let bound = sizes.unit * (scales[0] + moves[0] / sizes.shift) + sizes.tiny;

  var count = 0u;
  var first = sizes.count;
  for (var i = local; i < sizes.count; i += GROUP) {
    if (differ(i, bound)) {
      first = min(first, i);
      count++;
    }
  }
  counts[local] = count;
  firsts[local] = first;
  workgroupBarrier();
  for (var half = GROUP / 2; half > 0; half /= 2) {
    if (local < half) {
      counts[local] += counts[local + half];
      firsts[local] = min(firsts[local], firsts[local + half]);
    }
    workgroupBarrier();
  }
  if (local > 0 || counts[0] == 0 || found[8 * sizes.at] > 0) { return; }
  let at = firsts[0];
  found[8 * sizes.at] = counts[0];
  found[8 * sizes.at + 1] = at;
  found[8 * sizes.at + 2] = bitcast<u32>(element(x[wordOf(at)], at));
  found[8 * sizes.at + 3] = bitcast<u32>(element(reference[wordOf(at)], at));
  found[8 * sizes.at + 4] = bitcast<u32>(bound);
}

//#kernel perturb
//#param KIND: u32
struct Sizes {
  count: u32,
  seed: u32,
  shift: f32,
}

//#if KIND != 3
@group(0) @binding(0) var<storage, read> x: array<u32>;
//#end
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

/// 1 ± shift.
fn factor(i: u32) -> f32 {
  let state = (i ^ sizes.seed) * 747796405 + 2891336453;
  let word = ((state >> ((state >> 28) + 4)) ^ state) * 277803737;
  return select(1 - sizes.shift, 1 + sizes.shift, (word >> 31) == 1);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  //#if KIND == 0
  y[i] = x[i];
  //#end
  //#if KIND == 1
  y[i] = bitcast<u32>(bitcast<f32>(x[i]) * factor(i));
  //#end
  //#if KIND == 2
  let both = unpack2x16float(x[i]) * vec2f(factor(2 * i), factor(2 * i + 1));
  y[i] = pack2x16float(clamp(both, vec2f(-65504), vec2f(65504))); // what is larger may become anything
  //#end
  //#if KIND == 3
  y[i] = 0;
  //#end
}
