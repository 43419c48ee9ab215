// A convolutional network tells drawn discs, squares and triangles apart, and shows what it says of some that it never saw.
// To run it: npm run examples, and the page shapeClassifier/
import { AdamW, argMax, crossEntropy, Engine, f32, u32 } from 'palimpsest';
import { BATCH, KINDS, RECIPE, SIZE, STEPS, shapeClassifier } from './model';

const HELD_OUT = 96;
type Pen = OffscreenCanvasRenderingContext2D;

const adapter = await navigator.gpu.requestAdapter();
if (!adapter) throw new Error('This browser finds no GPU.');
const engine = await Engine.open(adapter);

const model = engine.init(shapeClassifier());
const adam = new AdamW(model, RECIPE);
const step = await engine.compile({ images: f32(BATCH, 1, SIZE, SIZE), kinds: u32(BATCH) }, ({ images, kinds }) => {
  const loss = crossEntropy(model.forward(images), kinds);
  adam.minimize(loss);
  return { loss };
});
const use = await engine.compile(
  { images: f32(HELD_OUT, 1, SIZE, SIZE) },
  ({ images }) => ({ kinds: argMax(model.forward(images), -1) }),
  { training: false },
);

const pen = new OffscreenCanvas(SIZE, SIZE).getContext('2d', { willReadFrequently: true });
if (!pen) throw new Error('There is no 2D canvas.');
for (let i = 0; i <= STEPS; i++) {
  await step.run(drawn(pen, BATCH));
  if (i % 20 === 0) log(`step ${i}: loss ${(await step.outputs.loss.item()).toFixed(3)}`);
}

const { images, kinds } = drawn(pen, HELD_OUT);
await use.run({ images });
const said = await use.outputs.kinds.data();
const right = said.filter((kind, i) => kind === kinds[i]).length;
log(`${((100 * right) / HELD_OUT).toFixed(0)} % of ${HELD_OUT} others are told right`);
for (let i = 0; i < 12; i++) show(pen, i, said[i] ?? 0);
engine.dispose();

/** Shapes of any size, place and turn, grey on grey. */
function drawn(pen: Pen, count: number): { readonly images: Float32Array; readonly kinds: Uint32Array } {
  const kinds = Uint32Array.from({ length: count }, () => Math.floor(Math.random() * KINDS.length));
  const images = new Float32Array(count * SIZE * SIZE);
  for (const [i, kind] of kinds.entries()) {
    pen.fillStyle = `hsl(0 0% ${Math.random() * 40}%)`;
    pen.fillRect(0, 0, SIZE, SIZE);
    pen.fillStyle = `hsl(0 0% ${60 + Math.random() * 40}%)`;
    pen.beginPath();
    const [x = 0, y = 0, radius = 0] = [0.4, 0.4, 0.25].map((least) => SIZE * (least + 0.15 * Math.random()));
    const turn = 2 * Math.PI * Math.random();
    const corners = [64, 4, 3][kind] ?? 0;
    for (let corner = 0; corner < corners; corner++) {
      const angle = turn + (2 * Math.PI * corner) / corners;
      pen.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
    }
    pen.fill();
    const { data } = pen.getImageData(0, 0, SIZE, SIZE);
    for (let pixel = 0; pixel < SIZE * SIZE; pixel++) images[i * SIZE * SIZE + pixel] = (data[4 * pixel] ?? 0) / 255;
  }
  return { images, kinds };
}

/** Adds a picture of a held-out shape, with what it is said to be. */
function show(pen: Pen, i: number, kind: number): void {
  const pixels = pen.createImageData(SIZE, SIZE);
  for (let at = 0; at < pixels.data.length; at++) {
    pixels.data[at] = at % 4 < 3 ? 255 * (images[i * SIZE * SIZE + (at >> 2)] ?? 0) : 255;
  }
  pen.putImageData(pixels, 0, 0);
  const figure = document.createElement('figure');
  const canvas = Object.assign(document.createElement('canvas'), { width: SIZE, height: SIZE });
  canvas.getContext('2d')?.drawImage(pen.canvas, 0, 0);
  figure.append(canvas, `${KINDS[kind] ?? ''}${kind === kinds[i] ? '' : ' (wrong)'}`);
  document.body.append(figure);
}

function log(line: string): void {
  document.querySelector('pre')?.append(`${line}\n`);
}
