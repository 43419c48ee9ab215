import { Owned } from '../../common/owned';
import { imageBytes, type TrainTest } from '../../data/imageSet';
import { formatBytes } from '../../common/format';
import type { Engine } from '../../engine/engine';
import { nameAdapter } from '../../gpu/adapter';
import { EngineError } from '../../gpu/errors';
import { UserError } from '../../common/userError';
import { adviseOnMemory } from './accounting';
import { needsTeacher, phasesOf, type Config, type Phase } from '../config/config';
import { PHASE_TITLES } from '../config/describe';
import { maskOf } from '../mask/masks';
import type { Model } from '../model/mae';
import { RunImages, staysOnGpu } from './gpuResidency';
import { makeModel } from './models';
import { Trainer } from './trainer';
import { compileUnmixer, type Unmixer } from '../eval/unmixing';

const UNMIXER_BATCH = 16;

/** All that a phase has on the GPU: memory and kernels, without values yet. */
export interface PhaseResources {
  readonly model: Model;
  /** What i-MAE is distilled from or starts from. */
  readonly teacher: Model | undefined;
  readonly trainer: Trainer;
  readonly unmixer: Unmixer;
  dispose(): void;
}

/** @throws UserError where the adapter cannot compute in the precision that is asked for */
function assertPrecision(engine: Engine, { device: { precision } }: Config): void {
  if (precision === 'f32' || engine.hasHalf) return;
  throw new UserError(
    `--precision f16: ${nameAdapter(engine.info)} has no half precision (the WebGPU feature shader-f16). Leave it out, or choose ` +
      'another adapter with --adapter.',
  );
}

/**
 * @param images of the run
 * @throws UserError where the adapter has no room for it: what to change; or cannot compute in the precision that is asked for
 */
export async function allocatePhase(
  engine: Engine,
  config: Config,
  phase: Phase,
  data: TrainTest,
  images: RunImages,
): Promise<PhaseResources> {
  assertPrecision(engine, config);
  const owned = new Owned();
  try {
    const model = makeModel(engine, config, phase);
    owned.own(model.parameters);
    const teacher =
      phase === 'imae' && needsTeacher(config) ? makeModel(engine, config, 'teacher', { frozen: true }) : undefined;
    if (teacher) owned.own(teacher.parameters);
    const trained = { set: data.train, images: owned.own(images.train(phase)), model, teacher };
    const trainer = owned.own(await Trainer.create({ engine, config, phase, ...trained }));
    const heldOut = { set: data.test, images: owned.own(images.test(2 * UNMIXER_BATCH)) };
    const shown = { model, batch: UNMIXER_BATCH, mask: maskOf(config, phase), teacher };
    const unmixer = owned.own(await compileUnmixer(engine, config, { ...heldOut, ...shown }));
    await engine.settle(); // memory that the device does not have is reported late
    return { model, teacher, trainer, unmixer, dispose: () => owned.dispose() };
  } catch (error) {
    owned.dispose();
    throw adviceFor(error, engine, config, phase, data);
  }
}

/** What to change, where an error says that a phase is too large; else the error itself. */
function adviceFor(error: unknown, engine: Engine, config: Config, phase: Phase, data: TrainTest): unknown {
  const isTooLarge = error instanceof EngineError && ['out-of-memory', 'limit-exceeded'].includes(error.code);
  if (!isTooLarge) return error;
  const room = { budget: engine.pool.budget, binding: engine.device.limits.maxStorageBufferBindingSize };
  const short = error.code === 'out-of-memory' ? 'budget' : 'binding';
  return new UserError(
    `${PHASE_TITLES[phase]} does not fit on this adapter: ${error.what} ` +
      adviseOnMemory(config, phase, data.train.count, room, short) +
      (short === 'budget' && staysOnGpu(engine, config, data.train)
        ? ` --stream yes takes its images, ${formatBytes(data.train.count * imageBytes(data.train))}, off the GPU.`
        : ''),
  );
}

/**
 * Plans each phase, and tries whether the adapter has the memory that it will need, so that one which does not fit is no
 * surprise hours later. Its kernels are compiled then.
 *
 * @throws UserError as `allocatePhase`
 */
export async function rehearse(engine: Engine, config: Config, data: TrainTest): Promise<void> {
  for (const phase of phasesOf(config)) {
    const planned = engine.planning();
    try {
      const images = new RunImages(planned, config, data);
      (await allocatePhase(planned, config, phase, data, images)).dispose();
      await engine.assertRoom(planned.pool.peakBytes);
    } catch (error) {
      throw adviceFor(error, engine, config, phase, data);
    } finally {
      planned.dispose();
    }
  }
}
