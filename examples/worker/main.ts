// The page of worker.ts, which trains: it hands its canvas over, shows what it is told, and never waits.
// To run it: npm run examples, and the page worker/
const worker = new Worker('worker.js', { type: 'module' });
const canvas = document.querySelector('canvas')?.transferControlToOffscreen();
if (!canvas) throw new Error('There is no canvas.');
worker.postMessage(canvas, [canvas]);

worker.addEventListener('message', ({ data }: MessageEvent<{ step: number; loss: number }>) => {
  document.querySelector('pre')?.append(`step ${data.step}: loss ${data.loss.toFixed(4)}\n`);
});
worker.addEventListener('error', ({ message }) => document.querySelector('pre')?.append(message));

let frames = 0;
requestAnimationFrame(function count() {
  document.querySelector('p')?.replaceChildren(`${++frames} frames of the page meanwhile`);
  requestAnimationFrame(count);
});

export {};
