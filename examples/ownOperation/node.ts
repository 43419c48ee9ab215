// An operation of one's own, y = x / (1 + |x|): a kernel each way, held against float64 and finite differences, then trained with.
// To run it: npm run examples ownOperation
import { AdamW, defineOperation, f32, like, Linear, mse, Sequential } from 'palimpsest';
import { checkGradient } from 'palimpsest/debug';
import { openEngine } from 'palimpsest/node';

// Kernels bind tensors by name; d stands before gradients. A large dispatch has rows of workgroups: hence the sum for i.
const shader = /* wgsl */ `// y = x / (1 + |x|), dx = dy / (1 + |x|)²; one invocation an element
struct Sizes { count: u32 }

//#kernel softsignForward
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < sizes.count) { y[i] = x[i] / (1 + abs(x[i])); }
}

//#kernel softsignBackward
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  let d = 1 + abs(x[i]);
  dx[i] = dy[i] / (d * d);
}
`;

const softsign = defineOperation({
  name: 'softsign',
  shader,
  inputs: ['x'],
  forward: ({ x }) => ({ y: like(x) }),
  gradients: ['x'],
});

const engine = await openEngine();
await checkGradient(
  engine,
  softsign,
  { x: [3, 17] },
  { reference: ({ x }) => ({ y: { shape: x.shape, data: x.data.map((value) => value / (1 + Math.abs(value))) } }) },
);
console.log('values and gradients are right');

const POINTS = 128;
const xs = Float32Array.from({ length: POINTS }, (_, i) => (2 * i) / POINTS - 1);
const ys = xs.map((x) => Math.sin(4 * x));
const model = engine.init(new Sequential(new Linear(1, 32), (x) => softsign({ x }).y, new Linear(32, 1)));
const adam = new AdamW(model, { learningRate: 0.03 });
const step = await engine.compile({ x: f32(POINTS, 1), y: f32(POINTS, 1) }, ({ x, y }) => {
  const loss = mse(model.forward(x), y);
  adam.minimize(loss);
  return { loss };
});
for (let i = 0; i <= 200; i++) {
  await step.run({ x: xs, y: ys });
  if (i % 50 === 0) console.log(`step ${i}: loss ${(await step.outputs.loss.item()).toFixed(4)}`);
}
engine.dispose();
