import { describeAdapter } from '../src/gpu/adapter';
import { openEngine } from '../src/node/dawn';

/** Before the tests: says what they run on, and fails at once where there is nothing. Vitest asks for each of its projects. */
export default async function printAdapter(): Promise<void> {
  const said = globalThis as { saidAdapter?: boolean };
  if (said.saidAdapter) return;
  said.saidAdapter = true;
  const engine = await openEngine();
  console.log(`Testing on ${describeAdapter(engine.info)}`);
  engine.dispose();
}
