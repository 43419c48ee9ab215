// A TypeGPU app lends its root's device: its buffer of points is trained on where it lies, and the answers come back as a typed buffer.
// To run it: npm run examples, and the page typeGpu/
import { AdamW, Engine, f32, Linear, mse, Sequential, sigmoid, tanh } from 'palimpsest';
import tgpu, { d } from 'typegpu';

const POINTS = 256;
const STEPS = 200;

// The app's: two half moons in a buffer. An array of vec2f is f32 [POINTS, 2]; one of vec3f has gaps, and would not be [POINTS, 3].
const root = await tgpu.init();
const points = Array.from({ length: POINTS }, (_, i) => {
  const [angle, upper] = [(Math.PI * i) / POINTS, i % 2 === 0];
  const noise = (): number => 0.2 * (Math.random() - 0.5);
  const [x, y] = upper ? [Math.cos(angle), Math.sin(angle)] : [1 - Math.cos(angle), 0.4 - Math.sin(angle)];
  return d.vec2f(x + noise(), y + noise());
});
const pointBuffer = root.createBuffer(d.arrayOf(d.vec2f, POINTS), points).$usage('storage');

const engine = Engine.borrow(root.device);
const model = engine.init(new Sequential(new Linear(2, 16), tanh, new Linear(16, 1), sigmoid));
const adam = new AdamW(model, { learningRate: 0.03 });
const labels = Float32Array.from(points, (_, i) => i % 2);
const step = await engine.compile({ x: f32(POINTS, 2), y: f32(POINTS, 1) }, ({ x, y }) => {
  const answers = model.forward(x);
  const loss = mse(answers, y);
  adam.minimize(loss);
  return { loss, answers };
});
step.write({ x: root.unwrap(pointBuffer), y: labels });

for (let i = 0; i <= STEPS; i++) {
  await step.run();
  if (i % 50 === 0) log(`step ${i}: loss ${(await step.outputs.loss.item()).toFixed(4)}`);
}

// TypeGPU reads the engine's output as a buffer of its own kind.
const answers = await root.createBuffer(d.arrayOf(d.f32, POINTS), step.outputs.answers.buffer).read();
const right = answers.filter((answer, i) => Math.round(answer) === labels[i]).length;
log(`${((100 * right) / POINTS).toFixed(0)} % of the points are told apart`);

const context = document.querySelector('canvas')?.getContext('2d');
for (const [i, { x, y }] of points.entries()) {
  if (!context) break;
  context.fillStyle = `hsl(${200 + 180 * (answers[i] ?? 0)} 70% 45%)`;
  context.fillRect(100 + 80 * x, 120 - 80 * y, 5, 5);
}

engine.dispose();
const [first] = await pointBuffer.read(); // the app's device and buffers live on
log(`the first point is still there: ${first?.x.toFixed(2)}, ${first?.y.toFixed(2)}`);
root.destroy();

function log(line: string): void {
  document.querySelector('pre')?.append(`${line}\n`);
}
