// A small network learns to take the noise from a canvas, frame by frame, without ever seeing a clean one (Lehtinen et al. 2018).
// To run it: npm run examples, and the page denoise/
import { AdamW, Conv2d, Engine, f32, mse, relu, Sequential, sub, type Tensor } from 'palimpsest';

const SIZE = 32;
const STEPS = 150;

const adapter = await navigator.gpu.requestAdapter();
if (!adapter) throw new Error('This browser finds no GPU.');
const engine = await Engine.open(adapter);

const around = { padding: 1 };
const model = engine.init(
  new Sequential(new Conv2d(3, 8, 3, around), relu, new Conv2d(8, 8, 3, around), relu, new Conv2d(8, 3, 3, around)),
);
/** A frame less the noise that the network finds in it. */
const clean = (frame: Tensor): Tensor => {
  const batch = frame.reshape([1, 3, SIZE, SIZE]);
  return sub(batch, model.forward(batch)).reshape([3, SIZE, SIZE]);
};

const adam = new AdamW(model, { learningRate: { peak: 2e-2, minimum: 1e-3, warmupSteps: 5, steps: STEPS } });
const training = await engine.compile(
  { frame: f32(3, SIZE, SIZE), other: f32(3, SIZE, SIZE) },
  ({ frame, other }) => adam.minimize(mse(clean(frame), other)), // two takes of a scene: their noise is not the same
);
const denoising = await engine.compile(
  { frame: f32(3, SIZE, SIZE), scene: f32(3, SIZE, SIZE) },
  ({ frame, scene }) => {
    const picture = clean(frame);
    return { picture, before: mse(frame, scene), after: mse(picture, scene) }; // only to say how good it is
  },
  { training: false },
);

const scene = canvas2d('scene');
const takes = [canvas2d('noisy'), canvas2d('other')] as const;
const shown = document.querySelector<HTMLCanvasElement>('#denoised')?.getContext('webgpu');
if (!shown) throw new Error('There is no WebGPU canvas.');
shown.configure({ device: engine.device, format: navigator.gpu.getPreferredCanvasFormat(), alphaMode: 'opaque' });

for (let step = 0; step <= STEPS; step++) {
  paint(step / 20);
  for (const take of takes) addNoise(take);
  const [frame, other] = [takes[0].canvas, takes[1].canvas];
  if (step < STEPS) await training.run({ frame, other });
  if (step % 10 > 0) continue;
  await denoising.run({ frame, scene: scene.canvas });
  denoising.outputs.picture.drawInto(shown.getCurrentTexture());
  const [before, after] = await Promise.all([denoising.outputs.before.item(), denoising.outputs.after.item()]);
  const text = `step ${step} of ${STEPS}: squared error ${before.toFixed(4)} before, ${after.toFixed(4)} after`;
  document.querySelector('p')?.replaceChildren(text);
}
engine.dispose();

/** Discs that move over a gradient. */
function paint(time: number): void {
  const gradient = scene.createLinearGradient(0, 0, SIZE, SIZE);
  gradient.addColorStop(0, '#355070');
  gradient.addColorStop(1, '#b56576');
  scene.fillStyle = gradient;
  scene.fillRect(0, 0, SIZE, SIZE);
  for (const [i, colour] of ['#eaac8b', '#6d9f71', '#5fa8d3'].entries()) {
    scene.fillStyle = colour;
    scene.beginPath();
    const [x, y] = [Math.sin(time + 2 * i), Math.cos(0.7 * time + i)];
    scene.arc(SIZE * (0.5 + 0.35 * x), SIZE * (0.5 + 0.35 * y), SIZE / 7, 0, 2 * Math.PI);
    scene.fill();
  }
}

/** The scene with noise of a deviation of about a tenth. */
function addNoise(take: CanvasRenderingContext2D): void {
  const pixels = scene.getImageData(0, 0, SIZE, SIZE);
  for (let i = 0; i < pixels.data.length; i++) {
    if (i % 4 < 3) pixels.data[i] = (pixels.data[i] ?? 0) + 90 * (Math.random() + Math.random() - 1);
  }
  take.putImageData(pixels, 0, 0);
}

function canvas2d(id: string): CanvasRenderingContext2D {
  const canvas = document.querySelector<HTMLCanvasElement>(`#${id}`);
  const context = canvas?.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('There is no 2D canvas.');
  return context;
}
