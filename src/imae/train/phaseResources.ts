import { imageBytes, type TrainTest } from '../../data/imageSet';
import { formatBytes } from '../../common/format';
import { nameAdapter, type Engine } from '../../gpu/engine';
import { EngineError } from '../../gpu/errors';
import { UserError } from '../../common/userError';
import { adviseOnMemory } from './accounting';
import { needsTeacher, phasesOf, type Config, type Phase } from '../config/config';
import { PHASE_TITLES } from '../config/describe';
import { maskOf } from '../mask/masks';
import type { Model } from '../model/mae';
import { staysOnGpu } from './gpuResidency';
import { makeModel } from './models';
import { Trainer } from './trainer';
import { Unmixer } from '../eval/unmixing';

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
 * @throws UserError where the adapter has no room for it: what to change; or cannot compute in the precision that is asked for
 */
export async function allocatePhase(
  engine: Engine,
  config: Config,
  phase: Phase,
  data: TrainTest,
): Promise<PhaseResources> {
  assertPrecision(engine, config);
  const owned: { dispose(): void }[] = [];
  const own = <T extends { dispose(): void }>(resource: T): T => {
    owned.push(resource);
    return resource;
  };
  const dispose = (): void => owned.reverse().forEach((resource) => resource.dispose());
  try {
    const model = makeModel(engine, config, phase);
    own(model.parameters);
    const teacher =
      phase === 'imae' && needsTeacher(config) ? makeModel(engine, config, 'teacher', { frozen: true }) : undefined;
    if (teacher) own(teacher.parameters);
    const trainer = own(await Trainer.create({ engine, config, phase, set: data.train, model, teacher }));
    const unmixer = own(
      await Unmixer.create(engine, config, {
        set: data.test,
        model,
        batch: UNMIXER_BATCH,
        mask: maskOf(config, phase),
        teacher,
      }),
    );
    await engine.settle(); // memory that the device does not have is reported late
    return { model, teacher, trainer, unmixer, dispose };
  } catch (error) {
    dispose();
    const isTooLarge = error instanceof EngineError && ['out-of-memory', 'limit-exceeded'].includes(error.code);
    if (!isTooLarge) throw error;
    const room = { budget: engine.pool.budget, binding: engine.device.limits.maxStorageBufferBindingSize };
    const short = error.code === 'out-of-memory' ? 'budget' : 'binding';
    throw new UserError(
      `${PHASE_TITLES[phase]} does not fit on this adapter: ${error.what} ` +
        adviseOnMemory(config, phase, data.train.count, room, short) +
        (short === 'budget' && staysOnGpu(engine, config, data.train)
          ? ` --stream yes takes its images, ${formatBytes(data.train.count * imageBytes(data.train))}, off the GPU.`
          : ''),
    );
  }
}

/**
 * Gives each phase once the memory and the kernels that it will need, so that one which does not fit is no surprise
 * hours later. The kernels stay compiled.
 *
 * @throws UserError as `allocatePhase`
 */
export async function rehearse(engine: Engine, config: Config, data: TrainTest): Promise<void> {
  for (const phase of phasesOf(config)) (await allocatePhase(engine, config, phase, data)).dispose();
}
