import * as characters from '../../examples/characters/model';
import * as shapes from '../../examples/shapeClassifier/model';
import { random, type Reference, type References } from '../../kernels-test/allclose';
import { RandomStream } from '../../src/data/philox';
import * as purposes from '../../src/data/purposes';
import type { Module } from '../../src/nn/module';
import { learningRateAt, type Schedule } from '../../src/optim/schedule';

/** A training step of one of the examples, model and recipe as they stand there; what is checked is its beginning. */
export interface ExampleWork {
  readonly kind: 'example';
  readonly example: 'shapeClassifier' | 'characters';
}

/** How an example is trained: AdamW's options there, and PyTorch's where it leaves them out. */
export interface Recipe {
  readonly learningRate: Schedule;
  readonly clipNorm?: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
}

const ADAMW = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01 } as const;

const EXAMPLES = {
  shapeClassifier: {
    recipe: { ...ADAMW, ...shapes.RECIPE },
    model: shapes.shapeClassifier,
    x: [shapes.BATCH, 1, shapes.SIZE, shapes.SIZE],
    targets: [shapes.BATCH],
    classes: shapes.KINDS.length,
    checked: ['0.weight', '7.weight'],
  },
  characters: {
    recipe: { ...ADAMW, ...characters.RECIPE },
    model: () => new characters.Writer(),
    x: [characters.BATCH, characters.LENGTH],
    targets: [characters.BATCH * characters.LENGTH],
    classes: characters.LETTERS.length,
    checked: ['letters.weight', 'blocks.1.query.weight'],
  },
} as const satisfies Record<ExampleWork['example'], unknown>;

/** Heads of the transformer, and its tokens in a row. */
export const { HEADS, LENGTH } = characters;

/** Steps after which losses and some weights are compared; decay and the rise of the learning rate show by then. */
export const EXAMPLE_STEPS = 10;

export function recipeOf({ example }: ExampleWork): Recipe {
  return EXAMPLES[example].recipe;
}

/** The largest norm of all gradients together; absent where they are not clipped. */
export function clipNormOf(work: ExampleWork): number | undefined {
  return recipeOf(work).clipNorm;
}

/** Classes that the model tells apart. */
export function classesOf({ example }: ExampleWork): number {
  return EXAMPLES[example].classes;
}

/** Weights that are compared after the checked steps. */
export function checkedWeights({ example }: ExampleWork): readonly string[] {
  return EXAMPLES[example].checked;
}

/** The learning rate of a step, counted from 1. */
export function rateOf(work: ExampleWork, step: number): number {
  return learningRateAt(recipeOf(work).learningRate, step - 1);
}

/** Names of weights, in the model's order: what is neither `x` nor `targets`. */
export function exampleWeights(inputs: References): string[] {
  return Object.keys(inputs).filter((name) => name !== 'x' && name !== 'targets');
}

/** `x`, `targets` (classes by number), and every weight by name, as the model begins. */
export function exampleInputs({ example }: ExampleWork): References {
  const { model, x, targets, classes } = EXAMPLES[example];
  const made: Module = model();
  const weights = made.namedParameters().map(({ name, shape, parameter }, index): [string, Reference] => {
    const data = parameter.initialize(shape, RandomStream.at(0, purposes.init, index));
    return [name, { shape, data: Float64Array.from(data) }];
  });
  const below = (shape: readonly number[], seed: number): Reference => {
    const { data } = random(shape, seed);
    return { shape, data: data.map((value) => Math.floor(((value + 1) / 2) * classes)) };
  };
  return {
    x: example === 'characters' ? below(x, 1) : random(x, 1),
    targets: below(targets, 2),
    ...Object.fromEntries(weights),
  };
}

/** Floating-point operations: two a weight and place that it is used at, three times (forward, and both gradients). */
export function exampleFlops({ example }: ExampleWork): number {
  if (example === 'shapeClassifier') {
    const places = shapes.SIZE ** 2;
    return (
      6 *
      shapes.BATCH *
      (places * 8 * 9 + (places / 4) * 16 * 8 * 9 + (places / 16) * 16 * classesOf({ kind: 'example', example }))
    );
  }
  const { BATCH, DIM, LETTERS } = characters;
  const ofToken = 2 * (12 * DIM * DIM + 2 * LENGTH * DIM) + DIM * LETTERS.length;
  return 6 * BATCH * LENGTH * ofToken;
}
