import type { Engine } from '../src/gpu/engine';
import { EngineError } from '../src/gpu/errors';

/**
 * What `work` on an engine says where it fails; nothing where it does not. Then the engine is ready for what comes next.
 *
 * @throws EngineError `device-lost` where that is why it failed: it says nothing of the work, and nothing can come next
 */
export async function failureOf(engine: Engine, work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    await engine.settle().catch((late: unknown) => {
      if (late instanceof EngineError && late.code === 'device-lost') throw late;
    });
    return error instanceof Error ? error.message : String(error);
  }
}
