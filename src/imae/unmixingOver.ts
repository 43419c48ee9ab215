import type { TrainTest } from '../data/imageSet';
import type { Engine } from '../gpu/engine';
import { Parameters } from '../nn/parameters';
import { loadModel } from './checkpoint';
import type { Config } from './config';
import { maeSpecs } from './mae';
import { describeModel } from './modelFile';
import type { NamedFile } from './run';
import { heldOutPairs, meanTarget, Unmixer, unmixingScore, type UnmixingScore } from './unmixing';

/** The unmixing score of held-out pairs that are all blended with one α. */
export interface UnmixingAt {
  readonly alpha: number;
  readonly score: UnmixingScore;
}

const BATCH = 32;

/**
 * The unmixing score at each of several α, the same pairs and masks at each.
 *
 * @param config of the run, whose mask ratio, normalisation and target count
 * @throws UserError where the file is no model
 */
export async function unmixingOver(
  engine: Engine,
  config: Config,
  { file, name }: NamedFile,
  data: TrainTest,
  { alphas, images }: { readonly alphas: readonly number[]; readonly images: number },
): Promise<UnmixingAt[]> {
  const { size, branches } = describeModel(file, name);
  const parameters = new Parameters(engine, name, maeSpecs(size, branches), { frozen: true });
  let unmixer: Unmixer | undefined;
  try {
    const model = { size, branches, parameters };
    loadModel(model, file, name);
    unmixer = await Unmixer.create(engine, config, data.test, model, BATCH);
    const mean = await meanTarget(size, data.train, unmixer.normalisation, config.model);
    const orders = await unmixer.orders(heldOutPairs(data.test, images, () => 0.5));
    const rows: UnmixingAt[] = [];
    for (const alpha of alphas) {
      const unmixed = await unmixer.unmix(heldOutPairs(data.test, images, () => alpha), orders);
      rows.push({ alpha, score: unmixingScore(size, unmixed, mean, config.model) });
    }
    return rows;
  } finally {
    unmixer?.dispose();
    parameters.dispose();
  }
}
