import type { TrainingSet, TrainTest } from '../../data/imageSet';
import { purposes, RandomStream } from '../../data/philox';
import { BatchOrder, drawCrops } from '../../data/sampler';
import type { Engine } from '../../gpu/engine';
import { normal } from '../../nn/initializers';
import { Linear } from '../../nn/layers';
import { Module } from '../../nn/module';
import { Parameters } from '../../nn/parameters';
import { batchNorm } from '../../ops/batchNorm';
import { crossEntropy } from '../../ops/crossEntropy';
import { Lars } from '../../optim/lars';
import { Graph, type TensorProgram } from '../../tensor/graph';
import { createTensor, disposeTensor, type Tensor } from '../../tensor/tensor';
import type { Learned, LearningWatcher } from './classification';
import {
  assertClassifiable,
  extractFeatures,
  Featurer,
  imagesOf,
  labelsOf,
  overRows,
  viewImages,
  type Pool,
  type Probed,
} from './features';
import { learn, scheduleOf, targetsOf, type ClassifierTask } from './learning';
import type { NamedFile } from '../checkpoint/namedFile';

export interface ProbeSettings {
  readonly pool: Pool;
  readonly epochs: number;
  readonly warmupEpochs: number;
  readonly batch: number;
  /** Peak learning rate for 256 images: lr = blr × batch / 256. */
  readonly blr: number;
  /** Smallest and largest share of a random resized crop; null takes whole images. */
  readonly crop: readonly [number, number] | null;
  readonly flip: boolean;
  readonly seed: number;
}

/** MAE's recipe (He et al. 2021), but for the batch, which is 16,384 there. */
export const PROBE_DEFAULTS: ProbeSettings = {
  pool: 'class',
  epochs: 90,
  warmupEpochs: 10,
  batch: 256,
  blr: 0.1,
  crop: [0.08, 1],
  flip: true,
  seed: 0,
};

export interface ProbeRun {
  readonly model: NamedFile;
  readonly probed: Probed;
  readonly data: TrainTest;
  readonly settings: ProbeSettings;
  readonly watcher: LearningWatcher;
}

const EPS = 1e-6;
/** Numbers of features that are scored at once. */
const SCORED = 2 ** 22;

type Write = (input: Tensor, data: Float32Array | Uint32Array) => void;

/** Training images' features. */
interface Source {
  /** Appends a batch of them to a program; `prepare` writes what a step needs. */
  record(graph: Graph): {
    readonly features: Tensor;
    readonly prepare: (write: Write, step: number) => void | Promise<void>;
  };
  dispose(): void;
}

/**
 * Trains a linear classifier on features that do not change: BatchNorm without scale and shift, then a linear layer, by
 * LARS. Test images are taken whole, so that their features are computed once; those of training images too, where they are
 * neither cropped nor flipped.
 *
 * @throws UserError where model and images don't fit, or the settings each other; EngineError `out-of-memory`
 */
export async function runProbe(engine: Engine, { model, probed, data, settings, watcher }: ProbeRun): Promise<Learned> {
  const { train, test } = data;
  const { batch, seed } = settings;
  const schedule = scheduleOf(settings, train);
  const owned: { dispose(): void }[] = [];
  const own = <T extends { dispose(): void }>(resource: T): T => {
    owned.push(resource);
    return resource;
  };
  try {
    const featurer = own(Featurer.create(engine, model, probed, settings.pool, seed));
    for (const set of [train, test]) assertClassifiable(set, featurer.size);
    const { width } = featurer;
    const classes = train.classes.length;
    const net = new Head(width, classes);
    const parameters = own(new Parameters(engine, 'probe', net));
    parameters.initialize((index) => RandomStream.at(seed, purposes.probe, index));
    const start = Float32Array.from({ length: 2 * width }, (_, i) => (i < width ? 0 : 1));
    const running = createTensor(engine, 'running statistics', [2, width], 'f32', start);
    owned.push({ dispose: () => disposeTensor(engine, running) });
    const logits = (features: Tensor, training: boolean): Tensor =>
      net.head.forward(batchNorm(features, running, { training, eps: EPS }));

    const fixed = settings.crop === null && !settings.flip;
    const source = own(
      fixed
        ? await fixedSource(engine, featurer, train, settings)
        : drawnSource(engine, featurer, train, settings, schedule.steps),
    );
    const tested = await extractFeatures(engine, featurer, test, batch);
    const optimizer = own(new Lars(engine, parameters));
    const graph = new Graph(engine);
    const { features, prepare } = source.record(graph);
    const targets = graph.input('targets', [batch, classes]);
    const loss = crossEntropy(logits(features, true), targets);
    graph.backward(loss);
    const rate = optimizer.rateInput(graph);
    optimizer.record(graph, rate);
    graph.output(loss);
    const program = own(await graph.compile());
    const scorer = own(await Scorer.create(engine, tested, width, (given) => logits(given, false)));

    const order = new BatchOrder(seed, batch, train.count);
    const lesson: ClassifierTask = {
      program,
      loss,
      schedule,
      epochs: settings.epochs,
      prepare: async (step) => {
        await prepare((input, values) => program.write(input, values), step);
        program.write(targets, targetsOf(labelsOf(train, order.indices(step)), classes));
      },
      writeRate: (value) => program.write(rate, Float32Array.of(value)),
      scores: () => scorer.read(),
    };
    return await learn(lesson, test, watcher);
  } finally {
    for (const resource of owned.reverse()) resource.dispose();
  }
}

/** A linear classifier of features. */
class Head extends Module {
  readonly head: Linear;

  constructor(width: number, classes: number) {
    super();
    this.head = new Linear(width, classes, normal(0.01)); // as MAE's code draws a probe's
  }
}

/** Features of random crops: computed anew at each step. */
function drawnSource(
  engine: Engine,
  featurer: Featurer,
  train: TrainingSet,
  settings: ProbeSettings,
  steps: number,
): Source {
  const { batch, seed, crop, flip } = settings;
  const images = imagesOf(engine, train, batch);
  const order = new BatchOrder(seed, batch, train.count);
  return {
    record: (graph) => {
      const view = viewImages(graph, train, images, batch, featurer);
      return {
        features: featurer.record(view.images),
        prepare: async (write, step) => {
          await images.ready(step, (ahead) => (ahead < steps ? order.indices(ahead) : undefined));
          for (const placed of images.place([order.indices(step)])) write(view.indices, placed);
          write(view.crops, drawCrops(seed, step, batch, { scale: crop, flip }, train));
        },
      };
    },
    dispose: () => images.dispose(),
  };
}

/** Features of whole images: computed once, kept by the host, and handed in with each batch. */
async function fixedSource(
  engine: Engine,
  featurer: Featurer,
  train: TrainingSet,
  { batch, seed }: ProbeSettings,
): Promise<Source> {
  const { width } = featurer;
  const known = await extractFeatures(engine, featurer, train, batch);
  const order = new BatchOrder(seed, batch, train.count);
  return {
    record: (graph) => {
      const features = graph.input('features', [batch, width]);
      return { features, prepare: (write, step) => write(features, rowsOf(known, width, order.indices(step))) };
    },
    dispose: () => undefined,
  };
}

function rowsOf(all: Float32Array, width: number, indices: ArrayLike<number>): Float32Array {
  const rows = new Float32Array(indices.length * width);
  for (let i = 0; i < indices.length; i++) {
    const at = indices[i] as number;
    rows.set(all.subarray(at * width, (at + 1) * width), i * width);
  }
  return rows;
}

/** Scores features that are known. */
class Scorer {
  private constructor(
    private readonly program: TensorProgram,
    private readonly input: Tensor,
    private readonly output: Tensor,
    private readonly features: Float32Array,
  ) {}

  static async create(
    engine: Engine,
    features: Float32Array,
    width: number,
    score: (features: Tensor) => Tensor,
  ): Promise<Scorer> {
    const graph = new Graph(engine);
    // Nothing but a product is done with them: many at once.
    const rows = Math.min(features.length / width, Math.ceil(SCORED / width));
    const input = graph.input('features', [rows, width]);
    const output = score(input);
    graph.output(output);
    return new Scorer(await graph.compile(), input, output, features);
  }

  /** [images, classes] */
  read(): Promise<Float32Array> {
    const { program, input, output, features } = this;
    const width = input.size / (input.shape[0] as number);
    return overRows(program, output, features.length / width, (rows) =>
      program.write(input, rowsOf(features, width, rows)),
    );
  }

  dispose(): void {
    this.program.dispose();
  }
}
