// Trains in a worker and draws into the page's canvas from there: how the plane is divided between two spirals.
// To run it: npm run examples, and the page worker/
import { AdamW, Engine, f32, Linear, mse, Sequential, sigmoid, sin, tanh } from 'palimpsest';

const POINTS = 192;
const SIZE = 64;
const STEPS = 400;

/** Points of two spirals, turn about, within ±1. */
const spirals = Float32Array.from({ length: POINTS * 2 }, (_, i) => {
  const [point, axis] = [i >> 1, i % 2];
  const radius = 0.1 + (0.9 * point) / POINTS;
  const angle = 7 * radius + Math.PI * (point % 2);
  return radius * (axis === 0 ? Math.cos(angle) : Math.sin(angle));
});
const labels = Float32Array.from({ length: POINTS }, (_, i) => i % 2);
/** Centres of the canvas's pixels, in the same units. */
const plane = Float32Array.from({ length: SIZE * SIZE * 2 }, (_, i) => {
  const pixel = i >> 1;
  return (2 * (0.5 + (i % 2 === 0 ? pixel % SIZE : Math.floor(pixel / SIZE)))) / SIZE - 1;
});

addEventListener('message', ({ data }: MessageEvent<OffscreenCanvas>) => void train(data));

async function train(canvas: OffscreenCanvas): Promise<void> {
  const adapter = await navigator.gpu.requestAdapter();
  const context = canvas.getContext('webgpu');
  if (!adapter || !context) throw new Error('This browser finds no GPU in a worker.');
  const engine = await Engine.open(adapter);
  context.configure({ device: engine.device, format: navigator.gpu.getPreferredCanvasFormat(), alphaMode: 'opaque' });

  const model = engine.init(
    new Sequential(new Linear(2, 32), sin, new Linear(32, 32), tanh, new Linear(32, 1), sigmoid),
  );
  const adam = new AdamW(model, { learningRate: { peak: 2e-2, minimum: 1e-3, warmupSteps: 10, steps: STEPS } });
  const step = await engine.compile({ x: f32(POINTS, 2), y: f32(POINTS, 1) }, ({ x, y }) => {
    const loss = mse(model.forward(x), y);
    adam.minimize(loss);
    return { loss };
  });
  const drawing = await engine.compile(
    { x: { ...f32(SIZE * SIZE, 2), initial: plane } },
    ({ x }) => ({ picture: model.forward(x).reshape([1, SIZE, SIZE]) }),
    { training: false },
  );

  for (let i = 0; i <= STEPS; i++) {
    await step.run({ x: spirals, y: labels });
    if (i % 50 > 0) continue;
    await drawing.run();
    drawing.outputs.picture.drawInto(context.getCurrentTexture());
    postMessage({ step: i, loss: await step.outputs.loss.item() });
  }
  engine.dispose();
}
