import type { ImageSet, TrainTest } from '../data/imageSet';
import { integer, permutation, RandomStream } from '../data/philox';
import * as purposes from '../data/purposes';
import type { Engine } from '../engine/engine';
import type { CurvePoint, LearningWatcher } from '../imae/classify/classification';
import { saveModel, trainedAs } from '../imae/checkpoint/checkpoint';
import type { Config } from '../imae/config/config';
import { normalisationMetadata } from '../imae/checkpoint/modelFile';
import type { NamedFile } from '../imae/checkpoint/namedFile';
import { named, tinyConfig } from './tinyRun';
import { initializeModel, makeModel } from '../imae/train/models';

/* What tests of classifiers share: a small model with random weights, and images whose classes are easy to tell. */

/** The file of a tiny MAE that was never trained. */
export async function untrainedModel(engine: Engine, config: Config = tinyConfig()): Promise<NamedFile> {
  const model = makeModel(engine, config, 'mae');
  initializeModel(model, 3);
  const values = await model.parameters.read();
  model.parameters.dispose();
  const metadata = {
    ...trainedAs(config, 'mae'),
    ...normalisationMetadata({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] }),
    phase: 'mae',
    step: '0',
  };
  return named('untrained', saveModel(model, values, metadata));
}

/** 16 × 16 pixels of noise around a colour that is the class's: three classes, one after the other. */
function colouredSet(name: string, count: number, seed: number): ImageSet {
  const colours = [
    [190, 60, 60],
    [60, 190, 60],
    [60, 60, 190],
  ];
  const plane = 16 * 16;
  const stream = RandomStream.at(seed, purposes.demoSet, 0);
  const images = Uint8Array.from({ length: count * 3 * plane }, (_, at) => {
    const [image, channel] = [Math.floor(at / (3 * plane)), Math.floor(at / plane) % 3];
    return (colours[image % 3]?.[channel] ?? 0) - 20 + integer(stream, 41);
  });
  const labels = Uint16Array.from({ length: count }, (_, image) => image % 3);
  const classes = ['red', 'green', 'blue'];
  return {
    name,
    width: 16,
    height: 16,
    channels: 3,
    count,
    classes,
    images,
    labels,
    mean: [0.4, 0.4, 0.4],
    std: [0.2, 0.2, 0.2],
  };
}

export const COLOURED: TrainTest<ImageSet> = {
  train: colouredSet('coloured', 96, 1),
  test: colouredSet('coloured', 33, 2),
};

/** The same images, whose labels mean nothing. */
export function shuffledLabels({ train, test }: TrainTest<ImageSet>): TrainTest<ImageSet> {
  const shuffle = (set: ImageSet, seed: number): ImageSet => {
    const order = permutation(RandomStream.at(seed, purposes.demoSet, 1), set.count);
    return { ...set, labels: Uint16Array.from(order, (from) => set.labels[from] as number) };
  };
  return { train: shuffle(train, 11), test: shuffle(test, 12) };
}

export class Points implements LearningWatcher {
  readonly points: CurvePoint[] = [];
  steps = 0;
  begin(): void {}
  step(): void {
    this.steps++;
  }
  epoch(point: CurvePoint): void {
    this.points.push(point);
  }
}
