import { resolve } from 'node:path';
import { imageBytes, isInMemory, type TrainTest } from '../data/imageSet';
import { formatBytes } from '../common/format';
import type { Engine } from '../engine/engine';
import { runFlops } from '../imae/train/accounting';
import { isRecording, phasesOf, type Config } from '../imae/config/config';
import { PHASE_TITLES } from '../imae/config/describe';
import { rehearse } from '../imae/train/phaseResources';
import { openEngine } from '../node/dawn';
import { completeChoices, loadChoices } from '../node/kernels';
import { compareKernels } from '../tensor/kernelComparison';
import { fileName } from '../runs/modelPath';
import { RunFolder } from '../runs/runFolder';

/* What comes before a run's first step: the adapter, its kernels, the folder. */

/**
 * Opens the adapter that a configuration asks for.
 *
 * @throws UserError where there is none
 */
export async function openTrainingEngine(
  { device }: Config,
  { profile = false, debugNumbers = false }: { readonly profile?: boolean; readonly debugNumbers?: boolean } = {},
): Promise<Engine> {
  const { adapter, kernels, precision } = device;
  const plain = kernels === 'plain';
  return await openEngine({
    adapterName: adapter,
    plain,
    debug: debugNumbers && compareKernels({ finite: precision === 'f32' }), // the scaling of f16 overflows on purpose
    timestamps: !plain || profile,
    half: precision === 'f16',
  });
}

/**
 * Finds out whether every phase fits, compiles its kernels, and chooses among them.
 *
 * @param run folder of a run that is resumed: its choices are kept
 * @throws UserError as `rehearse`, `loadChoices`
 */
export async function prepareKernels(
  engine: Engine,
  config: Config,
  data: TrainTest,
  note: (text: string) => void,
  run?: string,
): Promise<void> {
  note(
    `memory and kernels of ${phasesOf(config)
      .map((phase) => PHASE_TITLES[phase])
      .join(' and ')}`,
  );
  const { kernels } = config.device;
  const choices = kernels === 'plain' ? undefined : await loadChoices(engine, kernels, run);
  await rehearse(engine, config, data);
  if (choices) await completeChoices(engine, choices, runFlops(config, data.train.count), note);
}

/** Makes the folder of a new run, with its configuration in it. @param out as `RunFolder.create` */
export function makeRunFolder(config: Config, out: string | undefined): RunFolder {
  const folder = RunFolder.create({ ...(out === undefined ? {} : { out }), name: setName(config) });
  try {
    folder.writeConfig(withFullPaths(config));
  } catch (error) {
    folder.close();
    throw error;
  }
  return folder;
}

/** What a run is called: by its images, else by its preset. */
function setName({ data, preset }: Config): string {
  return data.set === null || data.set === 'shapes' ? preset : fileName(data.set);
}

/** Files are found from wherever the run goes on. */
export function withFullPaths(config: Config): Config {
  const { data, teacher, device } = config;
  const isFile = data.set !== null && data.set !== 'shapes';
  return {
    ...config,
    device: { ...device, ...(isRecording(device.kernels) ? { kernels: resolve(device.kernels) } : {}) },
    data: { ...data, ...(isFile ? { set: resolve(data.set) } : {}) },
    teacher: { ...teacher, ...(teacher.checkpoint === null ? {} : { checkpoint: resolve(teacher.checkpoint) }) },
  };
}

/** `shapes: 8192 images to train on …` */
export function describeData({ train, test }: TrainTest, isResident: boolean): string {
  const size = `${train.width} × ${train.height} pixels, ${train.classes.length} ${train.classes.length === 1 ? 'class' : 'classes'}`;
  const from = isInMemory(train) ? 'memory' : 'their files';
  const streamed = isResident ? '' : `; streamed from ${from}, ${formatBytes(train.count * imageBytes(train))} in all`;
  return `${train.name}: ${train.count} images to train on and ${test.count} held out, ${size}${streamed}`;
}
