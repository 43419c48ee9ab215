import type { Engine } from '../src/engine/engine';
import { EngineError } from '../src/gpu/errors';

/**
 * What `work` on an engine gives, or says where it fails. Then the engine is ready for what comes next.
 *
 * @throws EngineError `device-lost` where that is why it failed: it says nothing of the work, and nothing can come next
 */
export async function attempt<T>(
  engine: Engine,
  work: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly failure: string }> {
  try {
    return { value: await work() };
  } catch (error) {
    await engine.settle().catch((late: unknown) => {
      if (late instanceof EngineError && late.code === 'device-lost') throw late;
    });
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
