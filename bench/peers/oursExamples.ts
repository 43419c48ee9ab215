import * as characters from '../../examples/characters/model';
import * as shapes from '../../examples/shapeClassifier/model';
import type { Reference, References } from '../../kernels-test/allclose';
import type { Engine } from '../../src/engine/engine';
import { f32, u32 } from '../../src/engine/inputs';
import type { Module } from '../../src/nn/module';
import { crossEntropy } from '../../src/ops/crossEntropy';
import { AdamW } from '../../src/optim/adamw';
import { load } from '../../src/tensor/state';
import { checkedWeights, EXAMPLE_STEPS, exampleWeights, type ExampleWork } from './examples';
import type { PreparedWork } from './peer';

/** What an example trains, as the example makes it. */
interface Training {
  readonly model: Module;
  readonly adam: AdamW;
  readonly step: {
    run(): Promise<void>;
    dispose(): void;
    readonly outputs: { readonly loss: { item(): Promise<number> } };
  };
}

const BEGIN = {
  shapeClassifier: async (engine: Engine, x: Reference, targets: Reference): Promise<Training> => {
    const { BATCH, RECIPE, SIZE, shapeClassifier } = shapes;
    const model = engine.init(shapeClassifier());
    const adam = new AdamW(model, RECIPE);
    const inputs = { images: f32(BATCH, 1, SIZE, SIZE), kinds: u32(BATCH) };
    const step = await engine.compile(inputs, ({ images, kinds }) => {
      const loss = crossEntropy(model.forward(images), kinds);
      adam.minimize(loss);
      return { loss };
    });
    step.write({ images: Float32Array.from(x.data), kinds: Uint32Array.from(targets.data) });
    return { model, adam, step };
  },
  characters: async (engine: Engine, x: Reference, targets: Reference): Promise<Training> => {
    const { BATCH, LENGTH, RECIPE, Writer } = characters;
    const model = engine.init(new Writer());
    const adam = new AdamW(model, RECIPE);
    const inputs = { letters: u32(BATCH, LENGTH), next: u32(BATCH * LENGTH) };
    const step = await engine.compile(inputs, ({ letters, next }) => {
      const loss = crossEntropy(model.forward(letters), next);
      adam.minimize(loss);
      return { loss };
    });
    step.write({ letters: Uint32Array.from(x.data), next: Uint32Array.from(targets.data) });
    return { model, adam, step };
  },
} as const;

/** A training step of an example, by the calls that the example makes. */
export async function prepareExample(engine: Engine, work: ExampleWork, inputs: References): Promise<PreparedWork> {
  const input = (name: string): Reference => inputs[name] as Reference;
  const { model, adam, step } = await BEGIN[work.example](engine, input('x'), input('targets'));
  const weights = exampleWeights(inputs).map((name) => {
    const { shape, data } = input(name);
    return [name, { shape, data: Float32Array.from(data) }] as const;
  });
  await load(model, new Map(weights));
  return {
    results: async () => {
      const losses: number[] = [];
      for (let i = 0; i < EXAMPLE_STEPS; i++) {
        await step.run();
        losses.push(await step.outputs.loss.item());
      }
      const state = await model.stateDict();
      const checked = checkedWeights(work).map((name) => [name, state.get(name)?.data ?? []] as const);
      return { losses, ...Object.fromEntries(checked) };
    },
    run: async (repetitions) => {
      for (let i = 0; i < repetitions; i++) await step.run();
      await engine.settle();
    },
    dispose: () => {
      step.dispose();
      adam.dispose();
      engine.release(model);
    },
  };
}
