import { countParameters, estimateMemory, stepFlops, stepShape } from '../imae/train/accounting';
import {
  patchCount,
  phasesOf,
  planIfKnown,
  studentSize,
  visiblePatches,
  type Config,
  type ModelSize,
  type Phase,
} from '../imae/config/config';
import { formatBytes, formatCount, formatDuration, formatSetting } from '../common/format';

const TITLES: Readonly<Record<Phase, string>> = {
  teacher: 'teacher, a vanilla MAE',
  imae: 'i-MAE',
  mae: 'baseline, a vanilla MAE',
  lcmae: 'LC-MAE, each image under two masks',
};

/**
 * What `--dry-run` prints: for each phase its model, parameters, arithmetic and memory.
 *
 * @param trainingImages images of the training set, where known; without them, epochs cannot be told in steps
 * @param freeBytes memory of this machine that is free: what a software adapter has
 */
export function describeRun(config: Config, trainingImages: number | undefined, freeBytes: number): string {
  const { masking, training, data, device } = config;
  const size = studentSize(config);
  const visible = visiblePatches(size, masking.maskRatio);
  const lines = [
    `preset ${config.preset}, data ${data.set ?? 'to be given by --data'}` +
      (trainingImages === undefined ? '' : ` (${trainingImages} training images)`),
    `images ${size.image}×${size.image}×${size.channels}, patch ${size.patch}: ${patchCount(size)} patches, ` +
      `${visible} visible and ${patchCount(size) - visible} hidden (mask ratio ${masking.maskRatio}` +
      `${masking.mask === 'random' ? '' : `, by ${masking.mask}`})`,
    `batch ${training.batch}` +
      (training.accumulate > 1 ? ` in ${training.accumulate} micro-batches of ${microBatch(config)}` : '') +
      (device.precision === 'f16' ? ', activations and a copy of the weights in f16' : ''),
  ];
  for (const phase of phasesOf(config)) lines.push('', ...describePhase(config, phase, trainingImages, freeBytes));
  return lines.join('\n');
}

function describePhase(config: Config, phase: Phase, trainingImages: number | undefined, freeBytes: number): string[] {
  const shape = stepShape(config, phase);
  const { size, branches } = shape;
  const count = countParameters(size, branches);
  const flops = stepFlops(shape);
  const imageBytes = (trainingImages ?? 0) * size.channels * size.image ** 2;
  const memory = estimateMemory({ ...shape, batch: microBatch(config) }, imageBytes);
  const parts = [
    `parameters ${formatBytes(memory.parameters)}`,
    ...(memory.teacher ? [`teacher ${formatBytes(memory.teacher)}`] : []),
    ...(imageBytes ? [`image set ${formatBytes(memory.images)}`] : []),
    `activations ${formatBytes(memory.activations)}${shape.recompute ? ' with blocks computed twice' : ''}`,
  ];
  const saving = estimateMemory({ ...shape, batch: microBatch(config), recompute: true }, imageBytes);
  const rows: [string, string][] = [
    ['model', describeSize(size) + (phase === 'imae' ? `, ${config.imae.branches}` : '')],
    [
      'parameters',
      `${formatCount(count.trained)} trained: encoder ${formatCount(count.encoder)}, ` +
        `${branches === 2 ? '2 branch linears' : 'decoder embedding'} ${formatCount(count.decoderEmbed)}, ` +
        `decoder ${formatCount(count.decoder)}`,
    ],
    ...(shape.teacher ? [['teacher', `${describeSize(shape.teacher)}, frozen`] as [string, string]] : []),
    ['arithmetic', `${formatCount(flops)}FLOP a step, ${formatCount(flops / config.training.batch)}FLOP an image`],
    ['memory', `about ${formatBytes(memory.total)} (an estimate): ${parts.join(', ')}`],
    ...(shape.recompute
      ? []
      : [['', `with --recompute blocks about ${formatBytes(saving.total)}`] as [string, string]]),
    ...(memory.total > freeBytes
      ? [['', `more than the ${formatBytes(freeBytes)} that are free here for a software adapter`] as [string, string]]
      : []),
    ['budget', describeBudget(config, phase, trainingImages, flops)],
  ];
  return [TITLES[phase], ...rows.map(([name, value]) => `  ${name.padEnd(11)} ${value}`)];
}

function describeBudget(config: Config, phase: Phase, images: number | undefined, flops: number): string {
  const plan = planIfKnown(config, phase, images);
  if (!plan) {
    const time = phase === 'teacher' ? config.teacher.budget : config.training.budget;
    return 'epochs' in time ? `${time.epochs} epochs` : `${time.steps} steps`;
  }
  const ofThem = plan.warmupSteps < plan.steps ? `${formatSetting(plan.warmupSteps)} of them` : 'all of them';
  const warmup = images === undefined ? '' : `, ${ofThem} warm-up,`;
  const { muon } = config.optimizer;
  const matrices = muon > 0 ? `, for matrices times ${formatSetting(muon)} by Muon` : '';
  return (
    `${plan.steps} steps${warmup} at a peak learning rate of ${formatSetting(plan.peakLearningRate)}${matrices}: ` +
    `${formatCount(flops * plan.steps)}FLOP, ${formatDuration((flops * plan.steps) / 1e12)} at 1 TFLOP/s`
  );
}

function microBatch(config: Config): number {
  return config.training.batch / config.training.accumulate;
}

function describeSize(size: ModelSize): string {
  return (
    `encoder ${size.dim}-${size.depth}-${size.heads}, ` +
    `decoder ${size.decoderDim}-${size.decoderDepth}-${size.decoderHeads} (width-depth-heads)`
  );
}
