import type { SetFacts } from '../../data/imageSet';
import { isConstant } from '../../data/alphaLaw';
import type { ImageUploader } from '../../data/upload/imageUploader';
import type { Engine } from '../../gpu/engine';
import type { DeviceBuffer } from '../../gpu/pool';
import type { Slice } from '../../gpu/storage';
import { augment } from '../../ops/augment';
import { concat } from '../../ops/concat';
import type { AdamW } from '../../optim/adamw';
import { gradientNorm } from '../../optim/gradientNorm';
import { addInPlace } from '../../tensor/accumulate';
import { Graph } from '../../tensor/graph';
import { createTensor, type Tensor } from '../../tensor/tensor';
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
}

/** Images as a micro-batch reads them: which ones, and what box of each. */
interface ViewInputs {
  readonly indices: Tensor;
  readonly crops: Tensor;
}

/** Inputs that each micro-batch is given. */
interface BatchInputs {
  readonly first: ViewInputs;
  /** Of pairs. */
  readonly second?: ViewInputs;
  /** Of pairs: [1], or one a sample. */
  readonly alpha?: Tensor;
  /** As of `drawMasks`. */
  readonly counter: Tensor;
}

/** A step as it is recorded. */
export interface RecordedStep {
  /** A micro-batch, forward and backward; the update too, where there is but one. */
  readonly graph: Graph;
  /** Where there are several, the update. */
  readonly update?: Graph;
  readonly inputs: BatchInputs;
  readonly hyper: Tensor;
  /** Where there are several micro-batches: loss and parts, which each of them adds to. */
  readonly sums?: Tensor;
  /** What the micro-batches of a step add to. */
  readonly added: readonly DeviceBuffer[];
  /** Loss and parts, each the sum over the micro-batches; then what `gradientNorm` gives. */
  readonly metrics: Tensor;
  /** What the parts are called. */
  readonly names: readonly string[];
}

/** Records a micro-batch, and the update that ends a step. */
export function recordStep(parts: StepParts): RecordedStep {
  const { engine, config, model, optimizer } = parts;
  const several = config.training.accumulate > 1;
  const graph = new Graph(engine, { addToParameters: several, precision: config.device.precision });
  const { inputs, losses } = recordBatch(graph, parts);
  graph.backward(losses.loss, optimizer.scaling?.scale);
  const names = losses.parts.flatMap((part) => part.names);
  let measured = [losses.loss, ...losses.parts.map(({ values }) => values)].map((part) => part.detach());

  const update = several ? new Graph(engine) : graph;
  const sums = several ? createTensor(engine, 'losses of a step', [1 + names.length], 'f32') : undefined;
  if (sums) {
    addInPlace(graph, sums, concat(measured), true);
    measured = [sums];
  }
  const hyper = optimizer.hyperInput(update);
  const norm = gradientNorm(update, model.parameters.arenas, config.optimizer.clipNorm, optimizer.scaling);
  optimizer.record(update, hyper, norm);
  const metrics = concat([...measured, norm]);
  update.output(metrics);
  const added = [
    ...model.parameters.arenas.map(({ gradients }) => gradients),
    ...(sums ? [(sums.storage as Slice).buffer] : []),
  ];
  return { graph, inputs, hyper, added, metrics, names, ...(sums ? { sums, update } : {}) };
}

/** The inputs of a micro-batch, and its loss. */
function recordBatch(
  graph: Graph,
  { config, phase, set, images, model, teacher }: StepParts,
): { inputs: BatchInputs; losses: ObjectiveLosses } {
  const { training, masking } = config;
  const objective = objectiveOf(config, phase);
  const batch = training.batch / training.accumulate;
  const counter = graph.input('mask counter', [5], 'u32');
  const view = (which: string): ViewInputs & { readonly images: Tensor } => {
    const indices = graph.input(`${which} indices`, [batch], 'u32');
    const crops = graph.input(`${which} crops`, [batch, 5]);
    const { mean, std } = normalisation(config, set);
    const whole = config.data.crop === null && !config.data.flip;
    const size = config.model.image;
    return { indices, crops, images: augment({ chunks: images.chunks, indices, crops, whole, mean, std, size }) };
  };
  const first = view('first');
  const second = objective.inputs === 'pairs' ? view('second') : undefined;
  const perBatch = masking.alphaPer === 'batch' || isConstant(masking.alpha);
  const alpha = second && graph.input('alpha', [perBatch ? 1 : batch]);
  const losses = objective.record({
    model,
    teacher,
    images: first.images,
    ...(second && alpha ? { pairs: { second: second.images, alpha } } : {}),
    masksOf: (seen) => recordMasks(config, { kind: maskOf(config, phase), seen, counter, teacher }),
    share: 1 / training.accumulate,
    blocks: { recompute: training.recompute === 'blocks' },
  });
  return { inputs: { first, counter, ...(second && alpha ? { second, alpha } : {}) }, losses };
}
