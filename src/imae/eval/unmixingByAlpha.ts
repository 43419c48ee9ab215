import { Owned } from '../../common/owned';
import type { TrainTest } from '../../data/imageSet';
import { UserError } from '../../common/userError';
import type { Engine } from '../../engine/engine';
import { loadModel } from '../checkpoint/checkpoint';
import type { Config } from '../config/config';
import { allocateModel, type Model } from '../model/mae';
import { describeModel } from '../checkpoint/modelFile';
import type { NamedFile } from '../checkpoint/namedFile';
import { UnmixingSums, compileUnmixer, type UnmixingScore } from './unmixing';
import { RunImages } from '../train/gpuResidency';
import { meanTarget } from './meanImage';
import { heldOutPairs } from './heldOutPairs';

/** The unmixing score of held-out pairs that are all blended with one α. */
export interface UnmixingAt {
  readonly alpha: number;
  readonly score: UnmixingScore;
}

const BATCH = 32;

export interface UnmixingByAlphaOptions {
  readonly alphas: readonly number[];
  /** Held-out pairs. */
  readonly images: number;
  /** Whom masks by attention follow. */
  readonly teacher?: NamedFile | undefined;
  /** Is told after each batch how far it is. */
  readonly progress?: (done: number, total: number) => void;
}

/**
 * The unmixing score at each of several α, the same pairs at each, and the same masks where they do not look at
 * the mixture.
 *
 * @param config of the run, whose mask ratio, normalisation and target count
 * @throws UserError where a file is no model, or there is no teacher to follow
 */
export async function unmixingByAlpha(
  engine: Engine,
  config: Config,
  { file, name }: NamedFile,
  data: TrainTest,
  { alphas, images, teacher, progress }: UnmixingByAlphaOptions,
): Promise<UnmixingAt[]> {
  if (config.masking.mask === 'attention' && !teacher) {
    throw new UserError(
      `${name} was trained with masks by its teacher's attention. Give the run, which has the teacher.`,
      { usage: true },
    );
  }
  const { size, branches } = describeModel(file, name);
  const model = allocateModel(engine, name, { size, branches }, { frozen: true });
  const owned = new Owned();
  owned.own(model.parameters);
  try {
    loadModel(model, file, name);
    const { mask } = config.masking;
    const guide = mask === 'attention' && teacher ? loadGuide(engine, teacher) : undefined;
    if (guide) owned.own(guide.parameters);
    const heldOut = { set: data.test, images: owned.own(new RunImages(engine, config, data)).test(2 * BATCH) };
    const unmixer = owned.own(
      await compileUnmixer(engine, config, { ...heldOut, model, batch: BATCH, mask, teacher: guide }),
    );
    const mean = await meanTarget(size, data.train, unmixer.normalisation, config.model);
    const rows: UnmixingAt[] = [];
    const total = alphas.length * Math.ceil(images / BATCH);
    let done = 0;
    for (const alpha of alphas) {
      const pairs = heldOutPairs(data.test, images, () => alpha);
      const sums = new UnmixingSums(size, mean, config.model);
      await unmixer.unmixEach(pairs, await unmixer.orders(pairs), (part) => {
        sums.add(part);
        progress?.(++done, total);
      });
      rows.push({ alpha, score: sums.score });
    }
    return rows;
  } finally {
    owned.dispose();
  }
}

function loadGuide(engine: Engine, { file, name }: NamedFile): Model {
  const { size, branches } = describeModel(file, name);
  const model = allocateModel(engine, name, { size, branches }, { frozen: true });
  loadModel(model, file, name);
  return model;
}
