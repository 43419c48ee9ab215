import { formatDuration } from '../common/format';
import type { Engine } from '../engine/engine';
import { f32 } from '../engine/inputs';
import { runFlops } from '../imae/train/accounting';
import type { Config } from '../imae/config/config';
import { matmul } from '../ops/matmul';
import { commandsFor } from '../doctor/commands';
import { gatherSystem } from '../doctor/gather';

/** What share of a step products take, by the profiles of both adapters that are in use: a third to a half. */
const SHARE_OF_PRODUCTS = 0.33;
/** How long the trial takes at least, in milliseconds, and how many products are waited for at once. */
const TRIAL = 100;
const RUNS = 8;

/**
 * What is to be said before a run on an adapter that computes on the CPU: about how long it will take, by a trial of a
 * product of its shape, and what would make it faster.
 *
 * @returns undefined on a GPU
 */
export async function softwareAdvice(
  engine: Engine,
  config: Config,
  trainingImages: number,
): Promise<string | undefined> {
  if (!engine.traits.software) return undefined;
  const seconds = runFlops(config, trainingImages) / (await productRate(engine, config)) / SHARE_OF_PRODUCTS;
  const isLavapipe = /llvmpipe|lavapipe/i.test(engine.info.description);
  const command = isLavapipe ? undefined : commandsFor('lavapipe', gatherSystem())?.[0];
  const lavapipe = isLavapipe ? '' : `, and lavapipe faster than this${command === undefined ? '' : `: ${command}`}`;
  return `this adapter computes on the CPU: about ${formatDuration(roughly(seconds))} for this run. A GPU is far faster${lavapipe}`;
}

/** Floating-point operations a second in a product that the way back through the encoder's MLP has, so that its kernel is there. */
async function productRate(engine: Engine, { model, training }: Config): Promise<number> {
  const [m, k] = [Math.min(512, 16 * (training.batch / training.accumulate)), model.dim];
  const zeros = (rows: number, columns: number) => ({
    ...f32(rows, columns),
    initial: new Float32Array(rows * columns),
  });
  const inputs = { a: zeros(m, 4 * k), b: zeros(4 * k, k) };
  const program = await engine.compile(inputs, ({ a, b }) => ({ product: matmul(a, b) }));
  try {
    const trial = async (): Promise<void> => {
      for (let i = 0; i < RUNS; i++) await program.run();
      await engine.settle();
    };
    await trial(); // the first compiles
    const start = performance.now();
    let trials = 0;
    for (; performance.now() - start < TRIAL; trials++) await trial();
    return (trials * RUNS * 2 * m * k * 4 * k) / ((performance.now() - start) / 1000);
  } finally {
    program.dispose();
  }
}

/** Two digits say more than is known. */
function roughly(seconds: number): number {
  const unit = [10, 30, 60, 600, 3600].findLast((step) => step * 2 <= seconds) ?? 10;
  return Math.max(unit, Math.round(seconds / unit) * unit);
}
