// Trains i-MAE in a page and offers the model for download: see training.ts.
// To run it: npm run examples, and the page imae/
import { Engine } from 'palimpsest';
import { trainIMae } from './training';

const adapter = await navigator.gpu.requestAdapter();
if (!adapter) throw new Error('This browser finds no GPU.');
const engine = await Engine.open(adapter);
const log = document.querySelector('pre');
const model = await trainIMae(engine, (line) => log?.append(`${line}\n`));
engine.dispose();

const link = document.createElement('a');
link.textContent = 'model.safetensors';
link.download = link.textContent;
link.href = URL.createObjectURL(new Blob([model.slice()]));
document.body.append(link);
