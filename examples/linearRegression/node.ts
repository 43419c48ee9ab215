// Fits a line, in Node: see regression.ts.
// To run it: npm run examples linearRegression
import { openEngine } from 'palimpsest/node';
import { fit } from './regression';

const engine = await openEngine();
await fit(engine, console.log);
engine.dispose();
