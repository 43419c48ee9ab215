// Trains i-MAE in Node and keeps the model in a file: see training.ts.
// To run it: npm run examples imae
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine } from 'palimpsest';
import { openDevice, quietWait } from 'palimpsest/node';
import { trainIMae } from './training';

// The device is this program's own, so that it destroys it. `openEngine()` does all of it in one call.
const device = await openDevice();
const engine = Engine.borrow(device, { wait: quietWait });
const model = await trainIMae(engine, console.log);
engine.dispose();
device.destroy();

const path = join(await mkdtemp(join(tmpdir(), 'imae-')), 'model.safetensors');
await writeFile(path, model);
console.log(`model: ${path}`);
