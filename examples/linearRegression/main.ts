// Fits a line, in a page: see regression.ts.
// To run it: npm run examples, and the page linearRegression/
import { Engine } from 'palimpsest';
import { fit } from './regression';

const adapter = await navigator.gpu.requestAdapter();
if (!adapter) throw new Error('This browser finds no GPU.');
const engine = await Engine.open(adapter);
await fit(engine, (line) => document.querySelector('pre')?.append(`${line}\n`));
engine.dispose();
