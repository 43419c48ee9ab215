// A network learns an image while three.js draws what it knows of it, on the sides of a cube: one device, one render loop.
// To run it: npm run examples, and the page threeJs/
import { AdamW, Engine, f32, Linear, mse, relu, Sequential, sigmoid, transpose } from 'palimpsest';
import * as THREE from 'three/webgpu';

const SIZE = 64;
const PIXELS = SIZE * SIZE;
/** Frames over which the time of one is averaged. */
const SPAN = 20;

/** Waves across the image and down it: what the network is told of a pixel. */
const waves = [1, 2, 3, 5, 8, 13].flatMap((times) => [
  (t: number) => Math.sin(times * t),
  (t: number) => Math.cos(times * t),
]);
const places = Float32Array.from({ length: PIXELS * 2 * waves.length }, (_, i) => {
  const [pixel, column] = [Math.floor(i / (2 * waves.length)), i % (2 * waves.length)];
  const t = (column % 2 === 0 ? pixel % SIZE : Math.floor(pixel / SIZE)) / SIZE;
  return waves[column >> 1]?.(Math.PI * t) ?? 0;
});

// three.js has the device, and lends it.
const renderer = new THREE.WebGPURenderer({ antialias: true });
await renderer.init();
const { backend } = renderer;
if (!('device' in backend) || !(backend.device instanceof GPUDevice)) throw new Error('three.js found no WebGPU.');
const { device } = backend;
const engine = Engine.borrow(device);

const model = engine.init(
  new Sequential(new Linear(2 * waves.length, 48), relu, new Linear(48, 48), relu, new Linear(48, 3), sigmoid),
);
const adam = new AdamW(model, { learningRate: 1e-2 });
const training = await engine.compile(
  { x: { ...f32(PIXELS, 2 * waves.length), initial: places }, image: f32(3, SIZE, SIZE) },
  ({ x, image }) => {
    const picture = transpose(model.forward(x), 0, 1).reshape([3, SIZE, SIZE]);
    const loss = mse(picture, image);
    adam.minimize(loss);
    return { loss, picture };
  },
);
training.write({ image: drawn() });

const { TEXTURE_BINDING, RENDER_ATTACHMENT } = GPUTextureUsage;
const usage = TEXTURE_BINDING | RENDER_ATTACHMENT;
const texture = device.createTexture({ label: 'learnt', size: [SIZE, SIZE], format: 'rgba8unorm', usage });
const material = new THREE.MeshBasicMaterial({ map: new THREE.ExternalTexture(texture) });
const cube = new THREE.Mesh(new THREE.BoxGeometry(), material);
const scene = new THREE.Scene().add(cube);
const camera = new THREE.PerspectiveCamera(40, 1, 0.1, 10);
camera.position.z = 2.5;
renderer.outputColorSpace = THREE.LinearSRGBColorSpace; // the texture holds what is shown, as it is
renderer.setSize(320, 320);
document.body.prepend(renderer.domElement);

const times = { without: '', with: '' };
let [frames, since, isTraining, isOver] = [0, performance.now(), false, false];
await renderer.setAnimationLoop(() => {
  if (isTraining) {
    const encoder = device.createCommandEncoder();
    training.encode(encoder); // a step: no submit of its own, no wait
    training.outputs.picture.drawInto(texture, encoder);
    device.queue.submit([encoder.finish()]);
  }
  cube.rotation.set(0.4, (cube.rotation.y += 0.02), 0);
  renderer.render(scene, camera);
  if (++frames % SPAN > 0 || isOver) return;
  times[isTraining ? 'with' : 'without'] = `${((performance.now() - since) / SPAN).toFixed(1)} ms`;
  since = performance.now();
  show('times', `A frame takes ${times.without} without training, ${times.with} with it.`);
  if (isTraining) training.outputs.loss.item().then((loss) => show('loss', `Loss: ${loss.toFixed(4)}.`), ignore);
  isTraining = true; // the first frames show what drawing takes by itself
});

document.querySelector('button')?.addEventListener('click', () => {
  [isTraining, isOver] = [false, true];
  engine.dispose(); // and the cube turns on
  show('memory', `${engine.memory.bytes} bytes are left of the engine.`);
});

/** A loss that is asked for when the engine ends does not come. */
function ignore(): void {}

function show(id: string, text: string): void {
  document.querySelector(`#${id}`)?.replaceChildren(text);
}

/** The image to learn. */
function drawn(): OffscreenCanvas {
  const canvas = new OffscreenCanvas(SIZE, SIZE);
  const context = canvas.getContext('2d');
  for (const [i, colour] of ['#2b3a67', '#f6ae2d', '#f26419', '#33a1c9', '#efe9d5'].entries()) {
    if (!context) throw new Error('There is no 2D canvas.');
    context.fillStyle = colour;
    context.fillRect(i * 6, i * 6, SIZE - i * 12, SIZE - i * 12);
  }
  return canvas;
}
