import { describeAdapter } from '../src/gpu/engine';
import { openEngine } from '../src/node/dawn';

/** Before the tests: says what they run on, and fails at once where there is nothing. */
export default async function printAdapter(): Promise<void> {
  const engine = await openEngine();
  console.log(`Testing on ${describeAdapter(engine.info)}`);
  engine.dispose();
}
