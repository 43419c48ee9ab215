import { at } from '../../common/at';
import { Owned } from '../../common/owned';
import type { TrainingSet, TrainTest } from '../../data/imageSet';
import { RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import { BatchOrder, CROP_VALUES, drawCrops } from '../../data/sampler';
import type { Engine } from '../../engine/engine';
import { f32, u32, type TensorsOf, type ValuesOf } from '../../engine/inputs';
import type { Output } from '../../engine/outputs';
import { normal } from '../../nn/initializers';
import { vitLinear } from '../../nn/layers';
import type { Linear } from '../../nn/linear';
import { Module } from '../../nn/module';
import { Parameters } from '../../nn/parameters';
import { batchNorm } from '../../ops/batchNorm';
import { crossEntropy } from '../../ops/crossEntropy';
import { Lars } from '../../optim/lars';
import type { Graph } from '../../tensor/graph';
import { createTensor, disposeTensor, type Scalar, type Tensor } from '../../tensor/tensor';
import type { NamedFile } from '../checkpoint/namedFile';
import { imagesOf, viewImages } from '../model/views';
import type { Learned, LearningWatcher } from './classification';
import { assertClassifiable, extractFeatures, Featurer, labelsOf, overRows, type Pool, type Probed } from './features';
import { learn, scheduleOf, targetsOf, type ClassifierTask } from './learning';

/** The settings of `runProbe`, a linear probe. */
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

/** What `runProbe` trains on: a model, data, settings, and who is told. */
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

/** What a step needs beside features. */
const given = (batch: number, classes: number) => ({ targets: f32(batch, classes), rate: f32(1) });
type Given = ReturnType<typeof given>;

/** A program that trains, whatever its features come from. */
interface Training {
  readonly loss: Output<'f32', readonly []>;
  run(step: number, values: Required<ValuesOf<Given>>): Promise<void>;
  dispose(): void;
}

/** Training images' features. */
interface Source {
  /** Compiles a step on a batch of them. @param record appends the step, and gives its loss */
  compile(record: (features: Tensor, given: TensorsOf<Given>, program: Graph) => Scalar<'f32'>): Promise<Training>;
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
  const owned = new Owned();
  try {
    const featurer = owned.own(Featurer.create(engine, model, probed, settings.pool, seed));
    for (const set of [train, test]) assertClassifiable(set, featurer.size);
    const { width } = featurer;
    const classes = train.classes.length;
    const net = new Head(width, classes);
    const parameters = owned.own(new Parameters(engine, 'probe', net));
    parameters.initialize((index) => RandomStream.at(seed, purposes.probe, index));
    const running = {
      runningMean: createTensor(engine, 'running mean', [width], 'f32'),
      runningVar: createTensor(engine, 'running variance', [width], 'f32', new Float32Array(width).fill(1)),
    };
    for (const tensor of Object.values(running)) owned.own({ dispose: () => disposeTensor(engine, tensor) });
    const logits = (features: Tensor, training: boolean): Tensor =>
      net.head.forward(batchNorm(features, running, { training, eps: EPS }));

    const fixed = settings.crop === null && !settings.flip;
    const source = owned.own(
      fixed
        ? await fixedSource(engine, featurer, train, settings)
        : drawnSource(engine, featurer, train, settings, schedule.steps),
    );
    const tested = await extractFeatures(engine, featurer, test, batch);
    const optimizer = owned.own(new Lars(parameters));
    const training = owned.own(
      await source.compile((features, { targets, rate }, program) => {
        const loss = crossEntropy(logits(features, true), targets);
        program.backward(loss);
        optimizer.record(program, rate);
        return loss;
      }),
    );
    const scorer = owned.own(await compileScorer(engine, tested, width, (features) => logits(features, false)));

    const order = new BatchOrder(seed, batch, train.count);
    const task: ClassifierTask = {
      loss: training.loss,
      schedule,
      epochs: settings.epochs,
      run: (step, rate) => {
        const targets = targetsOf(labelsOf(train, order.indices(step)), classes);
        return training.run(step, { targets, rate: Float32Array.of(rate) });
      },
      scores: () => scorer.scores(),
    };
    return await learn(task, test, watcher);
  } finally {
    owned.dispose();
  }
}

/** A linear classifier of features. */
class Head extends Module {
  readonly head: Linear;

  constructor(width: number, classes: number) {
    super();
    this.head = vitLinear(width, classes, normal(0.01)); // as MAE's code draws a probe's
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
  const { size, normalisation } = featurer;
  const images = imagesOf(engine, train, batch);
  const order = new BatchOrder(seed, batch, train.count);
  return {
    async compile(record) {
      const inputs = { indices: u32(batch), crops: f32(batch, CROP_VALUES), ...given(batch, train.classes.length) };
      const program = await engine.compile(inputs, ({ indices, crops, ...rest }, graph) => {
        const view = viewImages({ images, size, normalisation }, indices, crops);
        return { loss: record(featurer.record(view), rest, graph) };
      });
      return {
        loss: program.outputs.loss,
        run: async (step, values) => {
          await images.ready(step, (ahead) => (ahead < steps ? order.indices(ahead) : undefined));
          const indices = at(images.place([order.indices(step)]), 0);
          await program.run({ indices, crops: drawCrops(seed, step, batch, { scale: crop, flip }, train), ...values });
        },
        dispose: () => program.dispose(),
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
    async compile(record) {
      const inputs = { features: f32(batch, width), ...given(batch, train.classes.length) };
      const program = await engine.compile(inputs, ({ features, ...rest }, graph) => ({
        loss: record(features, rest, graph),
      }));
      return {
        loss: program.outputs.loss,
        run: (step, values) => program.run({ features: rowsOf(known, width, order.indices(step)), ...values }),
        dispose: () => program.dispose(),
      };
    },
    dispose: () => undefined,
  };
}

function rowsOf(all: Float32Array, width: number, indices: Uint32Array): Float32Array {
  const rows = new Float32Array(indices.length * width);
  for (const [i, row] of indices.entries()) rows.set(all.subarray(row * width, (row + 1) * width), i * width);
  return rows;
}

/** Scores features that are known. */
async function compileScorer(
  engine: Engine,
  features: Float32Array,
  width: number,
  score: (features: Tensor) => Tensor,
): Promise<{ scores(): Promise<Float32Array>; dispose(): void }> {
  const count = features.length / width;
  // Nothing but a product is done with them: many at once.
  const rows = Math.min(count, Math.ceil(SCORED / width));
  const program = await engine.compile({ features: f32(rows, width) }, (inputs) => ({
    scores: score(inputs.features),
  }));
  return {
    scores: () =>
      overRows(program.outputs.scores, count, (batch) => program.run({ features: rowsOf(features, width, batch) })),
    dispose: () => program.dispose(),
  };
}
