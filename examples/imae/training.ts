// Trains a small i-MAE on drawn shapes, as a library call: a teacher first, then the model that takes blends apart.
// To run it: npm run examples imae, or npm run examples and the page imae/
import type { Engine } from 'palimpsest';
import { configure, drawBuiltIn, train } from 'palimpsest/imae';

/** Far too short to take anything apart: leave `settings` at the preset for that, which are minutes on a CPU. */
const objective = configure({
  preset: 'demo',
  model: { image: 16, patch: 4, dim: 32, depth: 1, heads: 2, decoderDim: 32, decoderDepth: 1, decoderHeads: 2 },
  teacher: { budget: { steps: 15 } },
  training: { budget: { steps: 30 } },
  logging: { scoreEvery: 30, checkpointEvery: 30, panelsEvery: 0 },
});

/** @returns the trained model, as the bytes of a safetensors file */
export async function trainIMae(engine: Engine, log: (line: string) => void): Promise<Uint8Array> {
  let file = new Uint8Array();
  const { score } = await train(engine, objective, drawBuiltIn(objective), {
    watcher: {
      phase: (phase, plan) => log(`${phase}: ${plan.steps} steps`),
      step: ({ step, loss }) => {
        if (step % 5 === 4) log(`step ${step + 1}: loss ${loss.toFixed(4)}`);
      },
    },
    store: {
      writeCheckpoint: (phase, step, model) => {
        file = model.slice();
        return `${phase}-${step}`;
      },
    },
  });
  const scores = [score?.subordinate, score?.dominant].map((branch) => branch?.score.toFixed(2));
  log(`score: subordinate ${scores[0]}, dominant ${scores[1]}; 1 is perfect`);
  return file;
}
