import { Owned } from '../../common/owned';
import { isConstant } from '../../data/alphaLaw';
import type { SetFacts } from '../../data/imageSet';
import { CROP_VALUES } from '../../data/sampler';
import type { ImageUploader } from '../../data/upload/imageUploader';
import type { CompiledProgram } from '../../engine/compiledProgram';
import type { Engine } from '../../engine/engine';
import { f32, u32, type TensorsOf } from '../../engine/inputs';
import type { Output } from '../../engine/outputs';
import type { ProgramStatistics } from '../../gpu/memoryPlan';
import type { DeviceBuffer } from '../../gpu/pool';
import { augment } from '../../ops/augment';
import { concat } from '../../ops/concat';
import { HYPER_VALUES, type AdamW } from '../../optim/adamw';
import { gradientNorm } from '../../optim/gradientNorm';
import { addInPlace } from '../../tensor/accumulate';
import type { Graph } from '../../tensor/graph';
import { createTensor, type LastingTensor, type Tensor } from '../../tensor/tensor';
import type { Config, Phase } from '../config/config';
import { maskOf, recordMasks } from '../mask/masks';
import type { Model } from '../model/mae';
import { normalisation } from '../model/normalisation';
import { objectiveOf, type ObjectiveLosses } from './objectives';

/** What a step computes with. */
export interface StepParts {
  readonly engine: Engine;
  readonly config: Config;
  readonly phase: Phase;
  readonly set: SetFacts;
  readonly images: ImageUploader;
  readonly model: Model;
  readonly optimizer: AdamW;
  /** What i-MAE is distilled from. */
  readonly teacher?: Model | undefined;
  /** Where a step has several micro-batches, what they add loss and parts to: see `makeSums`. */
  readonly sums?: LastingTensor<'f32'> | undefined;
}

/** Memory for the sums of loss and parts over micro-batches, where there are several. */
export function makeSums(engine: Engine, config: Config, phase: Phase): LastingTensor<'f32'> | undefined {
  if (config.training.accumulate === 1) return undefined;
  return createTensor(engine, 'losses of a step', [1 + objectiveOf(config, phase).parts.length], 'f32');
}

/** What a micro-batch is given: which images, and what box of each; of pairs, the second of each too, and the weight of the first. */
function batchInputs({ config: { training, masking }, phase, config }: Pick<StepParts, 'config' | 'phase'>) {
  const batch = training.batch / training.accumulate;
  const ofPairs = objectiveOf(config, phase).inputs === 'pairs';
  const perBatch = masking.alphaPer === 'batch' || isConstant(masking.alpha);
  return {
    indices: u32(batch),
    crops: f32(batch, CROP_VALUES),
    secondIndices: ofPairs ? u32(batch) : undefined,
    secondCrops: ofPairs ? f32(batch, CROP_VALUES) : undefined,
    alpha: ofPairs ? f32(perBatch ? 1 : batch) : undefined,
    /** As of `drawMasks`. */
    counter: u32(5),
  };
}

type BatchInputs = ReturnType<typeof batchInputs>;

const updateInputs = { hyper: f32(HYPER_VALUES) };

/** A step that is ready to run. */
export interface CompiledStep {
  /** A micro-batch, forward and backward. */
  readonly batch: CompiledProgram<BatchInputs>;
  /** The update that ends a step: `batch` itself, where there is but one micro-batch. */
  readonly update: CompiledProgram<typeof updateInputs>;
  /** What the micro-batches of a step add to: to be zero before the first. */
  readonly sums: readonly DeviceBuffer[];
  /** Numbers that `batch` reads α from. */
  readonly alphas: number;
  /** Loss and parts, each the sum over the micro-batches; then what `gradientNorm` gives. */
  readonly metrics: Output;
  dispose(): void;
}

/** A step that is written down. */
export interface RecordedStep {
  /** What a micro-batch takes; the update takes hardly anything. */
  readonly statistics: ProgramStatistics;
  /** @throws EngineError where memory is short */
  compile(): Promise<CompiledStep>;
}

/** Writes a step down: a program that is run for each micro-batch and one for the update, or, where there is but one, both in one. */
export function recordStep(parts: StepParts): RecordedStep {
  const { engine, config, model, sums } = parts;
  const { precision } = config.device;
  const inputs = batchInputs(parts);
  const alphas = inputs.alpha?.shape[0] ?? 0;
  if (!sums) {
    const both = { ...inputs, ...updateInputs };
    const body = ({ hyper, ...given }: TensorsOf<typeof both>, graph: Graph) => ({
      metrics: concat([...recordBatch(graph, given, parts), recordUpdate(graph, hyper, parts)]),
    });
    const recorded = engine.record(both, body, { precision });
    return {
      statistics: recorded.statistics,
      async compile() {
        const program = await recorded.compile();
        const { metrics } = program.outputs;
        return { batch: program, update: program, sums: [], alphas, metrics, dispose: () => program.dispose() };
      },
    };
  }
  const addUp = (given: TensorsOf<BatchInputs>, graph: Graph): void =>
    addInPlace(graph, sums, concat(recordBatch(graph, given, parts)), true);
  const recorded = engine.record(inputs, addUp, { precision, addToParameters: true });
  const recordedUpdate = engine.record(updateInputs, ({ hyper }, graph) => ({
    metrics: concat([sums, recordUpdate(graph, hyper, parts)]),
  }));
  return {
    statistics: recorded.statistics,
    async compile() {
      const owned = new Owned();
      try {
        const batch = owned.own(await recorded.compile());
        const update = owned.own(await recordedUpdate.compile());
        const { metrics } = update.outputs;
        const gradients = model.parameters.arenas.map((arena) => arena.gradients);
        const added = [...gradients, sums.storage.buffer];
        return { batch, update, sums: added, alphas, metrics, dispose: () => owned.dispose() };
      } catch (error) {
        owned.dispose();
        throw error;
      }
    },
  };
}

/** Appends a micro-batch, forward and backward. @returns its loss and the parts of it */
function recordBatch(graph: Graph, given: TensorsOf<BatchInputs>, parts: StepParts): readonly Tensor[] {
  const losses = recordLoss(given, parts);
  graph.backward(losses.loss, parts.optimizer.scaling?.scale);
  return [losses.loss.reshape([1]), ...losses.parts].map((part) => part.detach());
}

/** Appends the update that ends a step. @returns what `gradientNorm` gives */
function recordUpdate(graph: Graph, hyper: Tensor, { config, model, optimizer }: StepParts): Tensor {
  const norm = gradientNorm(graph, model.parameters.arenas, config.optimizer.clipNorm, optimizer.scaling);
  optimizer.record(graph, hyper, norm);
  return norm;
}

/** The loss of a micro-batch. */
function recordLoss(
  { indices, crops, secondIndices, secondCrops, alpha, counter }: TensorsOf<BatchInputs>,
  { config, phase, set, images, model, teacher }: StepParts,
): ObjectiveLosses {
  const { training, data } = config;
  const whole = data.crop === null && !data.flip;
  const view = (which: Tensor<'u32'>, boxes: Tensor): Tensor => {
    const { mean, std } = normalisation(config, set);
    return augment({
      ...{ chunks: images.chunks, indices: which, crops: boxes },
      ...{ whole, mean, std, size: config.model.image },
    });
  };
  const first = view(indices, crops);
  const second = secondIndices && secondCrops && view(secondIndices, secondCrops);
  return objectiveOf(config, phase).record({
    model,
    teacher,
    images: first,
    ...(second && alpha ? { pairs: { second, alpha } } : {}),
    masksOf: (seen) => recordMasks(config, { kind: maskOf(config, phase), seen, counter, teacher }),
    share: 1 / training.accumulate,
    blocks: { recompute: training.recompute === 'blocks' },
  });
}
