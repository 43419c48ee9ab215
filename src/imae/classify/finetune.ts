import type { ImageSet, TrainTest } from '../../data/imageSet';
import { philoxKey, purposes, RandomStream } from '../../data/philox';
import { ResidentImages } from '../../data/upload/residentImages';
import { BatchOrder, drawCrops } from '../../data/sampler';
import type { Engine } from '../../gpu/engine';
import { normal } from '../../nn/initializers';
import { LayerNorm, Linear } from '../../nn/layers';
import { Parameters } from '../../nn/parameters';
import { crossEntropy } from '../../ops/crossEntropy';
import { mixImages } from '../../ops/mixImages';
import { meanPool } from '../../ops/meanPool';
import { OPERATION_VALUES, randAugment } from '../../ops/randAugment';
import { AdamW } from '../../optim/adamw';
import { gradientNorm } from '../../optim/gradientNorm';
import { power } from '../../tensor/exactMath';
import { Graph } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import { saveModel } from '../checkpoint/checkpoint';
import type { Learned, LearningWatcher } from './classification';
import type { EncoderSize } from '../config/config';
import { readEncoder, type EncoderSource } from '../checkpoint/encoderSource';
import {
  assertClassifiable,
  imagesOf,
  labelsOf,
  overRows,
  pooledTokens,
  viewImages,
  type Pool,
  type ViewedBy,
} from './features';
import { learn, scheduleOf, targetsOf, type ClassifierTask, type Checkpointing } from './learning';
import { restoreLearning, saveLearning, type Learner } from './learningState';
import { VisionTransformer } from '../model/mae';
import { normalisationMetadata } from '../checkpoint/modelFile';
import type { Normalisation } from '../model/normalisation';
import { drawOperations, LAYERS } from './randAugment';
import { drawErased, drawMix, drawPaths } from './mixupCutmix';
import type { NamedFile, SavedState } from '../checkpoint/namedFile';

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

export interface FinetuneRun {
  readonly model: NamedFile;
  /** Whether to begin from the file's encoder, or from random weights. */
  readonly from: 'trained' | 'random';
  readonly data: TrainTest;
  readonly settings: FinetuneSettings;
  readonly watcher: LearningWatcher;
  /** Lets it be left and gone on with; without, it trains to its end. */
  readonly sitting?: FinetuneCheckpointing;
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
    if (pool === 'mean') this.fcNorm = new LayerNorm(encoderSize.dim);
    this.head = new Linear(encoderSize.dim, classes, normal(2e-5));
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
  engine: Engine,
  parameters: Parameters,
  { depth }: EncoderSize,
  { weightDecay, layerDecay }: FinetuneSettings,
): AdamW {
  return new AdamW(engine, parameters, {
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
 *   training; EngineError `out-of-memory`; LearningStopped where the sitting ends it
 */
export async function runFinetune(
  engine: Engine,
  { model, from, data, settings, watcher, sitting }: FinetuneRun,
): Promise<Finetuned> {
  const { train, test } = data;
  const { batch, seed } = settings;
  const source = readEncoder(model);
  const { size, normalisation } = source;
  for (const set of [train, test]) assertClassifiable(set, size);
  const schedule = scheduleOf(settings, train, LEAST_RATE);
  const classes = train.classes.length;
  const owned: { dispose(): void }[] = [];
  const own = <T extends { dispose(): void }>(resource: T): T => {
    owned.push(resource);
    return resource;
  };
  try {
    const net = new Classifier(size, settings.pool, classes);
    const parameters = own(new Parameters(engine, 'classifier', net));
    beginClassifier(parameters, seed, from === 'trained' ? source : undefined);
    const optimizer = own(makeOptimizer(engine, parameters, size, settings));

    const resident = own(imagesOf(engine, train, batch));
    const graph = new Graph(engine);
    const view = viewImages(graph, train, resident, batch, { size, normalisation });
    const augmented = recordRandAugment(graph, view.images, settings, normalisation);
    const mixing = recordMixing(graph, augmented.images, settings);
    const paths = settings.dropPath > 0 ? graph.input('drop path', [2 * size.depth, batch]) : undefined;
    const targets = graph.input('targets', [batch, classes]);
    const loss = crossEntropy(net.classify(mixing.images, paths), targets);
    graph.backward(loss);
    const hyper = optimizer.hyperInput(graph);
    optimizer.record(graph, hyper, gradientNorm(graph, parameters.arenas, settings.clipNorm));
    graph.output(loss);
    const program = own(await graph.compile());
    const tester = own(
      await Tester.create(engine, test, batch, { size, normalisation }, (images) => net.classify(images)),
    );

    const order = new BatchOrder(seed, batch, train.count);
    const cropLaw = { scale: settings.crop, flip: settings.flip };
    const lesson: ClassifierTask = {
      program,
      loss,
      schedule,
      epochs: settings.epochs,
      prepare: async (step) => {
        const indices = order.indices(step);
        await resident.ready(step, (ahead) => (ahead < schedule.steps ? order.indices(ahead) : undefined));
        for (const placed of resident.place([indices])) program.write(view.indices, placed);
        program.write(view.crops, drawCrops(seed, step, batch, cropLaw, train));
        if (augmented.layers.length > 0) {
          const drawn = drawOperations(seed, step, batch, size.image);
          for (const [layer, operations] of augmented.layers.entries())
            program.write(operations, drawn[layer] as Float32Array);
        }
        const mix = drawMix(seed, step, settings, size.image);
        if (mixing.inputs) {
          program.write(mixing.inputs.mix, Float32Array.from(mix.pixels));
          program.write(mixing.inputs.erased, drawErased(seed, step, batch, settings.erase, size.image));
          program.write(mixing.inputs.counter, Uint32Array.of(...philoxKey(seed), purposes.noise, step));
        }
        program.write(targets, mixedTargets(labelsOf(train, indices), classes, settings.labelSmoothing, mix.lambda));
        if (paths) program.write(paths, drawPaths(seed, step, size.depth, batch, settings.dropPath));
      },
      writeRate: (rate, step) => program.write(hyper, optimizer.hyper(rate, step + 1)),
      scores: () => tester.scores(),
    };
    const metadata = metadataOf(source, settings.pool, train.classes);
    const checkpointing = sitting && (await sit(sitting, { parameters, optimizer }, metadata));
    const learned = await learn(lesson, test, watcher, checkpointing);
    return { ...learned, classifier: saveModel({ parameters }, await parameters.read(), metadata) };
  } finally {
    for (const resource of owned.reverse()) resource.dispose();
  }
}

/** What a classifier's file says of itself beside its tensors. */
function metadataOf(
  { size, normalisation }: EncoderSource,
  pool: Pool,
  classes: readonly string[],
): Record<string, string> {
  const about = { phase: 'classifier', pool, heads: String(size.heads), classes: JSON.stringify(classes) };
  return { ...normalisationMetadata(normalisation), ...about };
}

/** @throws UserError as `restoreLearning` */
async function sit(
  sitting: FinetuneCheckpointing,
  learner: Learner,
  metadata: Readonly<Record<string, string>>,
): Promise<Checkpointing> {
  const { identity, resume } = sitting;
  return {
    ...(resume ? { from: await restoreLearning(learner, resume, identity) } : {}),
    stopRequested: () => sitting.stopRequested(),
    isDue: () => sitting.isDue(),
    save: async (at) => {
      const { model, state } = await saveLearning(learner, metadata, identity, at);
      sitting.save(at.step, model, state);
    },
  };
}

/** Changes images by RandAugment, where the settings ask for it: `layers` are the operations of each of its layers. */
function recordRandAugment(
  graph: Graph,
  images: Tensor,
  { randAugment: isOn, batch }: FinetuneSettings,
  { mean, std }: Normalisation,
): { readonly images: Tensor; readonly layers: readonly Tensor[] } {
  const layers = Array.from({ length: isOn ? LAYERS : 0 }, (_, layer) =>
    graph.input(`operations ${layer}`, [batch, OPERATION_VALUES]),
  );
  return {
    images: layers.reduce((changed, operations) => randAugment(changed, { operations, mean, std }), images),
    layers,
  };
}

/** Mixes and erases images, where the settings ask for either. */
function recordMixing(
  graph: Graph,
  images: Tensor,
  { mixup, cutmix, erase, batch }: FinetuneSettings,
): {
  readonly images: Tensor;
  readonly inputs?: { readonly erased: Tensor; readonly mix: Tensor; readonly counter: Tensor };
} {
  if (mixup === 0 && cutmix === 0 && erase === 0) return { images };
  const inputs = {
    erased: graph.input('erased', [batch, 4]),
    mix: graph.input('mix', [5]),
    counter: graph.input('noise counter', [4], 'u32'),
  };
  return { images: mixImages(images, inputs), inputs };
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
class Tester {
  private constructor(
    private readonly images: ResidentImages,
    private readonly scoreAll: () => Promise<Float32Array>,
    private readonly program: { dispose(): void },
  ) {}

  static async create(
    engine: Engine,
    set: ImageSet,
    batch: number,
    model: ViewedBy,
    score: (images: Tensor) => Tensor,
  ): Promise<Tester> {
    const images = new ResidentImages(engine, set);
    try {
      const graph = new Graph(engine);
      const view = viewImages(graph, set, images, Math.min(batch, set.count), model);
      const output = score(view.images);
      graph.output(output);
      const program = await graph.compile();
      const scoreAll = (): Promise<Float32Array> =>
        overRows(program, output, set.count, (rows) => program.write(view.indices, rows));
      return new Tester(images, scoreAll, program);
    } catch (error) {
      images.dispose();
      throw error;
    }
  }

  /** [images, classes] */
  scores(): Promise<Float32Array> {
    return this.scoreAll();
  }

  dispose(): void {
    this.program.dispose();
    this.images.dispose();
  }
}
