import { at } from '../../common/at';
import { Owned } from '../../common/owned';
import type { ImageSet, TrainTest } from '../../data/imageSet';
import { philoxKey, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import { BatchOrder, CROP_VALUES, drawCrops } from '../../data/sampler';
import { ResidentImages } from '../../data/upload/residentImages';
import type { Engine } from '../../engine/engine';
import { f32, u32, type TensorsOf } from '../../engine/inputs';
import { normal } from '../../nn/initializers';
import { vitLinear, vitNorm } from '../../nn/layers';
import type { Linear } from '../../nn/linear';
import type { LayerNorm } from '../../nn/norms';
import { Parameters } from '../../nn/parameters';
import { crossEntropy } from '../../ops/crossEntropy';
import { meanPool } from '../../ops/meanPool';
import { mixImages } from '../../ops/mixImages';
import { OPERATION_VALUES, randAugment } from '../../ops/randAugment';
import { AdamW, HYPER_VALUES } from '../../optim/adamw';
import { gradientNorm } from '../../optim/gradientNorm';
import { power } from '../../tensor/exactMath';
import type { Tensor } from '../../tensor/tensor';
import { saveModel } from '../checkpoint/checkpoint';
import { encoderMetadata } from '../checkpoint/encoderMetadata';
import { readEncoder, type EncoderSource } from '../checkpoint/encoderSource';
import { normalisationMetadata } from '../checkpoint/modelFile';
import type { NamedFile, SavedState } from '../checkpoint/namedFile';
import type { EncoderSize } from '../config/config';
import { VisionTransformer } from '../model/mae';
import type { Normalisation } from '../model/normalisation';
import { imagesOf, viewImages, wholeBoxes } from '../model/views';
import type { Learned, LearningWatcher } from './classification';
import { assertClassifiable, labelsOf, overRows, pooledTokens, type Pool } from './features';
import { learn, scheduleOf, targetsOf, type Checkpointing, type ClassifierTask } from './learning';
import { restoreLearning, saveLearning, type Learner } from './learningState';
import { drawErased, drawMix, drawPaths } from './mixupCutmix';
import { drawOperations } from './randAugment';

/** The settings of `runFinetune`. */
export interface FinetuneSettings {
  /** `mean`: the mean of the patch tokens through `fc_norm`; `class`: the class token through `norm`. */
  readonly pool: Pool;
  readonly epochs: number;
  readonly warmupEpochs: number;
  readonly batch: number;
  /** Peak learning rate for 256 images: lr = blr × batch / 256. */
  readonly blr: number;
  readonly weightDecay: number;
  readonly layerDecay: number;
  /** Probability that the last block leaves out a branch; it rises linearly from 0 at the first. */
  readonly dropPath: number;
  readonly labelSmoothing: number;
  /** α of the Beta law that the weights of mixup and of cutmix are drawn from; 0 leaves it out. */
  readonly mixup: number;
  readonly cutmix: number;
  /** Probability that a box of an image is filled with noise. */
  readonly erase: number;
  /** Largest norm of the whole gradient; 0 clips nothing. */
  readonly clipNorm: number;
  /** Smallest and largest share of a random resized crop; null takes whole images. */
  readonly crop: readonly [number, number] | null;
  readonly flip: boolean;
  /** Whether images are changed by RandAugment. */
  readonly randAugment: boolean;
  readonly seed: number;
}

/** MAE's recipe for ViT-B (He et al. 2021), but for the batch, which is 1,024 there. */
export const FINETUNE_DEFAULTS: FinetuneSettings = {
  pool: 'mean',
  epochs: 100,
  warmupEpochs: 5,
  batch: 128,
  blr: 5e-4,
  weightDecay: 0.05,
  layerDecay: 0.65,
  dropPath: 0.1,
  labelSmoothing: 0.1,
  mixup: 0.8,
  cutmix: 1,
  erase: 0.25,
  clipNorm: 0,
  crop: [0.08, 1],
  flip: true,
  randAugment: true,
  seed: 0,
};

/** What `runFinetune` trains on. */
export interface FinetuneRun {
  readonly model: NamedFile;
  /** Whether to begin from the file's encoder, or from random weights. */
  readonly from: 'trained' | 'random';
  readonly data: TrainTest;
  readonly settings: FinetuneSettings;
  readonly watcher: LearningWatcher;
  /** Lets it be left and gone on with; without, it trains to its end. */
  readonly checkpointing?: FinetuneCheckpointing;
}

/** Lets fine-tuning be left, and gone on with to the same bits. */
export interface FinetuneCheckpointing extends Pick<Checkpointing, 'stopRequested' | 'isDue'> {
  /** What the bits follow from: a checkpoint goes on under no other. */
  readonly identity: string;
  /** The checkpoint to go on from; absent at the beginning. */
  readonly resume?: SavedState | undefined;
  /** Keeps a checkpoint. */
  save(step: number, model: Uint8Array, state: Uint8Array): void;
}

/** What fine-tuning came to, and the classifier as a safetensors file: its parameters by their published names. */
export interface Finetuned extends Learned {
  readonly classifier: Uint8Array;
}

const BETAS = [0.9, 0.999] as const;
const EPS = 1e-8;
/** The learning rate at the end of the cosine, as in MAE's code. */
const LEAST_RATE = 1e-6;
/** Parameters that are not decayed though they have more than one dimension. */
const UNDECAYED = new Set(['cls_token', 'pos_embed']);

/** An encoder and a linear layer on it, under their published names. Positions are trained. */
export class Classifier extends VisionTransformer {
  readonly fcNorm?: LayerNorm;
  readonly head: Linear;

  constructor(
    private readonly encoderSize: EncoderSize,
    private readonly pool: Pool,
    classes: number,
  ) {
    super(encoderSize, { hasNorm: pool === 'class', trainsPositions: true });
    if (pool === 'mean') this.fcNorm = vitNorm(encoderSize.dim, encoderSize.layerNormEps);
    this.head = vitLinear(encoderSize.dim, classes, normal(2e-5));
  }

  /** Normalised images [B, C, H, W] → scores [B, classes]. @param dropPaths as of `EncodeOptions` */
  classify(images: Tensor, dropPaths?: Tensor): Tensor {
    const tokens = this.forwardTokens(images, undefined, dropPaths ? { dropPaths } : {});
    const pooled = meanPool(tokens, pooledTokens(this.pool, this.encoderSize));
    const norm = this.fcNorm ?? this.norm;
    return this.head.forward(norm ? norm.forward(pooled) : pooled);
  }
}

/**
 * What share of the learning rate a parameter takes: decay^(depth + 1 − i), with i = 0 for class token, positions and
 * patch embedding, k + 1 for block k, depth + 1 for the rest.
 */
export function layerScale(name: string, depth: number, decay: number): number {
  const block = /^blocks\.(\d+)\./.exec(name);
  const layer = block ? Number(block[1]) + 1 : /^(cls_token|pos_embed|patch_embed\.)/.test(name) ? 0 : depth + 1;
  return power(decay, depth + 1 - layer);
}

/** The first weights: random ones, or those of an encoder under a random head. */
function beginClassifier(parameters: Parameters, seed: number, encoder: EncoderSource | undefined): void {
  parameters.initialize((index) => RandomStream.at(seed, purposes.init, index));
  if (!encoder) return;
  for (const [name, { shape }] of parameters.entries) {
    if (!/^(head|fc_norm)\./.test(name)) parameters.write(name, encoder.values(name, shape));
  }
}

/** AdamW with a rate of its own for each layer. */
function makeOptimizer(
  parameters: Parameters,
  { depth }: EncoderSize,
  { weightDecay, layerDecay }: FinetuneSettings,
): AdamW {
  return new AdamW(parameters, {
    betas: BETAS,
    eps: EPS,
    weightDecay,
    group: ({ name, shape }) => ({
      scale: layerScale(name, depth, layerDecay),
      decayed: shape.length > 1 && !UNDECAYED.has(name),
    }),
  });
}

/**
 * Trains an encoder and a linear layer on it to classify.
 *
 * @throws UserError where model and images don't fit, or the settings each other, or a checkpoint is damaged or of another
 *   training; EngineError `out-of-memory`; LearningStopped where the checkpointing ends it
 */
export async function runFinetune(
  engine: Engine,
  { model, from, data, settings, watcher, checkpointing }: FinetuneRun,
): Promise<Finetuned> {
  const { train, test } = data;
  const { batch, seed } = settings;
  const source = readEncoder(model);
  const { size, normalisation } = source;
  for (const set of [train, test]) assertClassifiable(set, size);
  const schedule = scheduleOf(settings, train, LEAST_RATE);
  const classes = train.classes.length;
  const owned = new Owned();
  try {
    const net = new Classifier(size, settings.pool, classes);
    const parameters = owned.own(new Parameters(engine, 'classifier', net));
    beginClassifier(parameters, seed, from === 'trained' ? source : undefined);
    const optimizer = owned.own(makeOptimizer(parameters, size, settings));

    const images = owned.own(imagesOf(engine, train, batch));
    const training = owned.own(
      await engine.compile(trainingInputs(size, settings, classes), (inputs, program) => {
        const view = viewImages({ images, size, normalisation }, inputs.indices, inputs.crops);
        const mixed = mix(changeByRandAugment(view, inputs, normalisation), inputs);
        const loss = crossEntropy(net.classify(mixed, inputs.paths), inputs.targets);
        program.backward(loss);
        optimizer.record(program, inputs.hyper, gradientNorm(program, parameters.arenas, settings.clipNorm));
        return { loss };
      }),
    );
    const tester = owned.own(await compileTester(engine, net, test, batch, { size, normalisation }));

    const order = new BatchOrder(seed, batch, train.count);
    const cropLaw = { scale: settings.crop, flip: settings.flip };
    const task: ClassifierTask = {
      loss: training.outputs.loss,
      schedule,
      epochs: settings.epochs,
      run: async (step, rate) => {
        const indices = order.indices(step);
        await images.ready(step, (ahead) => (ahead < schedule.steps ? order.indices(ahead) : undefined));
        const { lambda, values } = drawChanges(step, settings, size);
        await training.run({
          indices: at(images.place([indices]), 0),
          crops: drawCrops(seed, step, batch, cropLaw, train),
          ...values,
          targets: mixedTargets(labelsOf(train, indices), classes, settings.labelSmoothing, lambda),
          hyper: optimizer.hyper(rate, step + 1),
        });
      },
      scores: () => tester.scores(),
    };
    const metadata = metadataOf(source, settings.pool, train.classes);
    const kept = checkpointing && (await checkpoints(checkpointing, { parameters, optimizer }, metadata));
    const learned = await learn(task, test, watcher, kept);
    return { ...learned, classifier: saveModel({ parameters }, await parameters.read(), metadata) };
  } finally {
    owned.dispose();
  }
}

/** What a classifier's file says of itself beside its tensors. */
function metadataOf(
  { size, normalisation }: EncoderSource,
  pool: Pool,
  classes: readonly string[],
): Record<string, string> {
  const about = { phase: 'classifier', pool, ...encoderMetadata(size), classes: JSON.stringify(classes) };
  return { ...normalisationMetadata(normalisation), ...about };
}

/** @throws UserError as `restoreLearning` */
async function checkpoints(
  checkpointing: FinetuneCheckpointing,
  learner: Learner,
  metadata: Readonly<Record<string, string>>,
): Promise<Checkpointing> {
  const { identity, resume } = checkpointing;
  return {
    ...(resume ? { from: await restoreLearning(learner, resume, identity) } : {}),
    stopRequested: () => checkpointing.stopRequested(),
    isDue: () => checkpointing.isDue(),
    save: async (at) => {
      const { model, state } = await saveLearning(learner, metadata, identity, at);
      checkpointing.save(at.step, model, state);
    },
  };
}

/** What a step is given: images, and how each is changed, where the settings ask for it. */
function trainingInputs({ depth }: EncoderSize, settings: FinetuneSettings, classes: number) {
  const { batch, dropPath, randAugment: isOn } = settings;
  const operations = isOn ? f32(batch, OPERATION_VALUES) : undefined;
  const isMixing = isMixed(settings);
  return {
    indices: u32(batch),
    crops: f32(batch, CROP_VALUES),
    operations1: operations,
    operations2: operations,
    erased: isMixing ? f32(batch, 4) : undefined,
    mix: isMixing ? f32(5) : undefined,
    counter: isMixing ? u32(4) : undefined,
    paths: dropPath > 0 ? f32(2 * depth, batch) : undefined,
    targets: f32(batch, classes),
    hyper: f32(HYPER_VALUES),
  };
}

type TrainingInputs = TensorsOf<ReturnType<typeof trainingInputs>>;

/** Whether images are mixed or erased. */
function isMixed({ mixup, cutmix, erase }: FinetuneSettings): boolean {
  return mixup !== 0 || cutmix !== 0 || erase !== 0;
}

/** Draws how the images of a step are changed, and λ, the weight of each image itself. */
function drawChanges(step: number, settings: FinetuneSettings, { image, depth }: EncoderSize) {
  const { seed, batch, dropPath, erase, randAugment: isOn } = settings;
  const [operations1, operations2] = isOn ? drawOperations(seed, step, batch, image) : [];
  const { pixels, lambda } = drawMix(seed, step, settings, image);
  const mixing = isMixed(settings) && {
    mix: Float32Array.from(pixels),
    erased: drawErased(seed, step, batch, erase, image),
    counter: Uint32Array.of(...philoxKey(seed), purposes.noise, step),
  };
  const paths = dropPath > 0 ? drawPaths(seed, step, depth, batch, dropPath) : undefined;
  return { lambda, values: { operations1, operations2, ...(mixing || {}), paths } };
}

/** Changes images by RandAugment: two operations, one after the other. */
function changeByRandAugment(
  images: Tensor,
  { operations1, operations2 }: Pick<TrainingInputs, 'operations1' | 'operations2'>,
  { mean, std }: Normalisation,
): Tensor {
  return [operations1, operations2].reduce<Tensor>(
    (changed, operations) => (operations ? randAugment(changed, { operations, mean, std }) : changed),
    images,
  );
}

/** Mixes and erases images. */
function mix(
  images: Tensor,
  { erased, mix: weights, counter }: Pick<TrainingInputs, 'erased' | 'mix' | 'counter'>,
): Tensor {
  return erased && weights && counter ? mixImages(images, { erased, mix: weights, counter }) : images;
}

/** Smoothed targets of a batch, λ of each mixed with 1 − λ of its partner's: the batch in reverse order. */
export function mixedTargets(
  labels: readonly number[],
  classes: number,
  smoothing: number,
  lambda: number,
): Float32Array {
  const own = targetsOf(labels, classes, smoothing);
  if (lambda === 1) return own;
  const partners = targetsOf(labels.toReversed(), classes, smoothing);
  return own.map((target, i) => lambda * target + (1 - lambda) * (partners[i] as number));
}

/** Scores the images of a set, whole, by weights that change meanwhile. */
async function compileTester(
  engine: Engine,
  net: Classifier,
  set: ImageSet,
  batch: number,
  { size, normalisation }: Pick<EncoderSource, 'size' | 'normalisation'>,
): Promise<{ scores(): Promise<Float32Array>; dispose(): void }> {
  const owned = new Owned();
  try {
    const images = owned.own(new ResidentImages(engine, set));
    const rows = Math.min(batch, set.count);
    const program = owned.own(
      await engine.compile({ indices: u32(rows) }, ({ indices }, graph) => {
        const view = viewImages({ images, size, normalisation }, indices, wholeBoxes(graph, set, rows));
        return { scores: net.classify(view) };
      }),
    );
    return {
      scores: () => overRows(program.outputs.scores, set.count, (indices) => program.run({ indices })),
      dispose: () => owned.dispose(),
    };
  } catch (error) {
    owned.dispose();
    throw error;
  }
}
