import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectClose, random } from '../../../kernels-test/allclose';
import { permutation, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { invertPermutation, type PatchMasks } from '../../ops/mask';
import { Graph } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import type { ModelSize } from '../config/config';
import { allocateModel, type Branches, type Model, type Outputs } from './mae';
import { imaeObjective, maeObjective, type ImaeWeights, type Losses } from './objective';

const SIZE: ModelSize = {
  image: 8,
  channels: 3,
  patch: 2,
  dim: 16,
  depth: 1,
  heads: 2,
  decoderDim: 12,
  decoderDepth: 1,
  decoderHeads: 3,
};
const BATCH = 3;
const LENGTH = 16;
const KEEP = 7;
const PIXELS = 3 * SIZE.image ** 2;

/** The same sum in another order, or of another number of samples: a few roundings of 6e-8. */
const ROUNDING = 1e-6;

/** Everything that an objective gives, on the host. */
interface Result {
  readonly loss: number;
  readonly pixel: readonly number[];
  readonly distill: readonly number[];
  readonly z: Float32Array;
  readonly teacherZ: Float32Array;
  readonly prediction: Float32Array;
  readonly latent: Float32Array;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

const pixels = (seed: number, batch = BATCH): Float32Array => Float32Array.from(random([batch * PIXELS], seed).data);
const IMAGE1 = pixels(1);
const IMAGE2 = pixels(2);

describe('objectives', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterEach(() => {
    const left = engine.pool.liveBuffers;
    engine.pool.dispose();
    expect(left).toBe(0);
  });
  afterAll(() => {
    engine.dispose();
  });

  /** A model whose weights depend on their names alone; each branch begins as `decoder_embed` unless `apart`. */
  function makeModel(branches: Branches, { frozen = false, apart = false, seed = 0 } = {}): Model {
    const model = allocateModel(engine, 'model', { size: SIZE, branches }, { frozen });
    const { parameters } = model;
    for (const [name, { shape }] of parameters.entries) {
      if (name.endsWith('pos_embed')) continue;
      const source = name
        .replace(/decoder_embed1/, 'decoder_embed')
        .replace(/decoder_embed2/, apart ? 'apart' : 'decoder_embed');
      const bytes = new TextEncoder().encode(source);
      const own = bytes.reduce((hash, byte) => (hash * 31 + byte) % 100003, 7 + seed);
      const fanIn = shape.length > 1 ? shape.slice(1).reduce((a, b) => a * b, 1) : 1;
      parameters.write(
        name,
        Float32Array.from(random(shape, own).data, (value) => value / Math.sqrt(fanIn)),
      );
    }
    return model;
  }

  async function evaluate(
    models: readonly Model[],
    objective: (
      image: (name: string, data: Float32Array) => Tensor,
      masks: PatchMasks,
      graph: Graph,
    ) => Outputs & Losses & { teacherZ?: Tensor },
    batch = BATCH,
  ): Promise<Result> {
    const graph = new Graph(engine);
    const orders = Array.from({ length: batch }, (_, sample) =>
      permutation(RandomStream.at(3, purposes.mask, sample % BATCH), LENGTH),
    );
    const idsShuffle = graph.input(
      'order',
      [batch, LENGTH],
      'u32',
      Uint32Array.from(orders.flatMap((order) => [...order])),
    );
    const masks = { idsShuffle, idsRestore: invertPermutation(idsShuffle), keep: KEEP };
    const image = (name: string, data: Float32Array): Tensor =>
      graph.input(name, [batch, 3, SIZE.image, SIZE.image], 'f32', data);
    const { loss, pixel, distill, z, teacherZ, prediction, latent } = objective(image, masks, graph);
    graph.backward(loss);
    const tensors = { loss, pixel, distill, z, teacherZ, prediction, latent };
    for (const tensor of Object.values(tensors)) if (tensor) graph.output(tensor);
    const program = await graph.compile();
    program.run();
    const read = async (tensor: Tensor | undefined): Promise<Float32Array> =>
      tensor ? await program.read(tensor) : new Float32Array(0);
    const gradients = new Map<string, Float32Array>();
    for (const { name, grad } of models.flatMap(({ parameters }) =>
      parameters.arenas.flatMap(({ members }) => members),
    )) {
      gradients.set(name, await read(grad));
    }
    const result = {
      loss: (await read(loss))[0] as number,
      pixel: [...(await read(pixel))],
      distill: [...(await read(distill))],
      z: await read(z),
      teacherZ: await read(teacherZ),
      prediction: await read(prediction),
      latent: await read(latent),
      gradients,
    };
    program.dispose();
    for (const { parameters } of models) parameters.dispose();
    return result;
  }

  interface Situation {
    readonly branches?: Branches;
    readonly alpha?: readonly number[];
    readonly weights?: Partial<ImaeWeights>;
    readonly images?: readonly [Float32Array, Float32Array];
    readonly withTeacher?: boolean;
    /** Whether the branches' linears differ. */
    readonly apart?: boolean;
    /** Of the teacher's weights; 0 are the student's own. */
    readonly teacherSeed?: number;
    readonly batch?: number;
  }

  function imae(situation: Situation = {}): Promise<Result> {
    const { branches = 2, alpha = [0.3], weights, images = [IMAGE1, IMAGE2] } = situation;
    const { withTeacher = true, apart = true, teacherSeed = 1, batch = BATCH } = situation;
    const student = makeModel(branches, { apart });
    const teacher = withTeacher ? makeModel(1, { frozen: true, seed: teacherSeed }) : undefined;
    return evaluate(
      [student, ...(teacher ? [teacher] : [])],
      (image, masks, graph) => {
        const pair = {
          image1: image('image1', images[0]),
          image2: image('image2', images[1]),
          alpha: graph.input('alpha', [alpha.length], 'f32', Float32Array.from(alpha)),
        };
        return imaeObjective(student, teacher, pair, masks, { lambda: [1, 1], normPix: false, ...weights });
      },
      batch,
    );
  }

  function mae(images: Float32Array): Promise<Result> {
    const model = makeModel(1);
    return evaluate([model], (image, masks) => maeObjective(model, image('images', images), masks, { normPix: false }));
  }

  const half = (values: Float32Array, branch: number): Float32Array =>
    values.slice((branch * values.length) / 2, ((branch + 1) * values.length) / 2);

  it('at α = 0 a student that is its teacher encodes the dominant image as its teacher does, bit for bit', async () => {
    const { distill, pixel, z, teacherZ, latent, prediction } = await imae({
      alpha: [0],
      apart: false,
      teacherSeed: 0,
    });
    expect(distill[1]).toBe(0);
    expect(half(z, 1)).toEqual(half(teacherZ, 1));
    expect(distill[0]).toBeGreaterThan(0.01);
    // Its dominant branch is a vanilla MAE on that image, its subordinate branch is asked for the image it cannot see.
    const vanilla = await mae(IMAGE2);
    expect(latent).toEqual(vanilla.latent);
    expect(half(prediction, 1)).toEqual(vanilla.prediction);
    expectClose('pixel loss', [pixel[1] ?? 0], vanilla.pixel, ROUNDING);
    expect(pixel[0]).not.toBe(pixel[1]);
  });

  it('at α = 1 the first image is the dominant one', async () => {
    const [one, zero] = [await imae({ alpha: [1] }), await imae({ alpha: [0], images: [IMAGE2, IMAGE1] })];
    expect(one).toEqual(zero);
  });

  it('the order of a pair does not matter', async () => {
    const there = await imae({ alpha: [0.25, 0.625, 0.125] });
    const back = await imae({ alpha: [0.75, 0.375, 0.875], images: [IMAGE2, IMAGE1] });
    expect(back).toEqual(there);
  });

  it('one α for the batch is that α for every sample', async () => {
    expect(await imae({ alpha: [0.3, 0.3, 0.3] })).toEqual(await imae({ alpha: [0.3] }));
  });

  it('the loss is the sum of its parts, each distillation term by its own λ', async () => {
    const { loss, pixel, distill } = await imae({ weights: { lambda: [0.5, 3] } });
    const [p1 = 0, p2 = 0] = pixel;
    const [d1 = 0, d2 = 0] = distill;
    expect(new Set([p1, p2, d1, d2, 0]).size).toBe(5);
    expectClose('loss', [loss], [p1 + p2 + 0.5 * d1 + 3 * d2], ROUNDING);
  });

  it('distillation is the mean squared distance of a branch from the teacher on its own image', async () => {
    const { distill, z, teacherZ } = await imae();
    for (const branch of [0, 1]) {
      const own = half(z, branch).map((value, i) => value - (half(teacherZ, branch)[i] as number));
      expectClose(
        `branch ${branch}`,
        [distill[branch] ?? 0],
        [own.reduce((sum, d) => sum + d * d, 0) / own.length],
        ROUNDING,
      );
    }
    expect(half(teacherZ, 0)).not.toEqual(half(teacherZ, 1));
  });

  it('a teacher that is given the mixture has one target for both branches: what the student that is it has already', async () => {
    const { distill, z, teacherZ } = await imae({ apart: false, teacherSeed: 0, weights: { teacherInput: 'mixed' } });
    expect(distill).toEqual([0, 0]);
    expect(teacherZ).toEqual(z);
    const clean = await imae({ apart: false, teacherSeed: 0 });
    expect(Math.min(...clean.distill)).toBeGreaterThan(0.001);
  });

  it('gradients are linear in λ, and without it the teacher has no say', async () => {
    const [none, one, two] = [
      await imae({ weights: { lambda: [0, 0] } }),
      await imae({ weights: { lambda: [1, 1] } }),
      await imae({ weights: { lambda: [2, 2] } }),
    ];
    const alone = await imae({ withTeacher: false });
    expect(alone.distill).toEqual([]);
    expect(alone.loss).toBe(none.loss);
    for (const [name, gradient] of one.gradients) {
      const [at0, at2] = [none.gradients.get(name), two.gradients.get(name)] as [Float32Array, Float32Array];
      expectClose(
        name,
        at2.map((value, i) => value + (at0[i] as number)),
        gradient.map((value) => 2 * value),
        ROUNDING,
      );
      expectClose(name, at0, alone.gradients.get(name) ?? [], ROUNDING);
    }
    // What lies behind the branches hears of pixels alone.
    expect(two.gradients.get('decoder_pred.weight')).toEqual(none.gradients.get('decoder_pred.weight'));
    expect(two.gradients.get('decoder_embed1.weight')).not.toEqual(none.gradients.get('decoder_embed1.weight'));
  });

  it('each branch has gradients of its own: λ of one does not reach the other', async () => {
    const [both, subordinate] = [await imae(), await imae({ weights: { lambda: [1, 0] } })];
    const same = (name: string): unknown => expect(subordinate.gradients.get(name)).toEqual(both.gradients.get(name));
    same('decoder_embed1.weight');
    same('decoder_embed1.bias');
    expect(subordinate.gradients.get('decoder_embed2.weight')).not.toEqual(both.gradients.get('decoder_embed2.weight'));
  });

  it('the subordinate-only form is the two-way form without its dominant half', async () => {
    const [two, one] = [await imae({ alpha: [0.2, 0.9, 0.4] }), await imae({ alpha: [0.2, 0.9, 0.4], branches: 1 })];
    expect(one.latent).toEqual(two.latent);
    expectClose('z', one.z, half(two.z, 0), ROUNDING);
    expectClose('teacher', one.teacherZ, half(two.teacherZ, 0), ROUNDING);
    expectClose('prediction', one.prediction, half(two.prediction, 0), ROUNDING);
    expectClose('pixel', one.pixel, two.pixel.slice(0, 1), ROUNDING);
    expectClose('distillation', one.distill, two.distill.slice(0, 1), ROUNDING);
    expectClose(
      'gradient',
      one.gradients.get('decoder_embed.weight') ?? [],
      two.gradients.get('decoder_embed1.weight') ?? [],
      ROUNDING,
    );
  });

  it('a share scales loss and gradients, not the parts', async () => {
    const [whole, quarter] = [await imae(), await imae({ weights: { share: 0.25 } })];
    expect(quarter.loss).toBe(whole.loss / 4);
    expect([quarter.pixel, quarter.distill]).toEqual([whole.pixel, whole.distill]);
    for (const [name, gradient] of whole.gradients)
      expect(quarter.gradients.get(name), name).toEqual(gradient.map((value) => value / 4));
  });

  it('is a mean over the batch: the batch taken twice has the same loss and gradients', async () => {
    const twice = (image: Float32Array): Float32Array => Float32Array.of(...image, ...image);
    const [once, doubled] = [await imae(), await imae({ images: [twice(IMAGE1), twice(IMAGE2)], batch: 2 * BATCH })];
    expectClose('loss', [doubled.loss], [once.loss], ROUNDING);
    for (const [name, gradient] of once.gradients)
      expectClose(name, doubled.gradients.get(name) ?? [], gradient, 2 * ROUNDING);
  });

  it('a vanilla MAE is judged by removed patches alone, and never sees them', async () => {
    const removed = Float32Array.from(IMAGE1);
    const order = permutation(RandomStream.at(3, purposes.mask, 0), LENGTH); // of sample 0
    const place = order[KEEP] as number;
    const at = Math.floor(place / 4) * 2 * SIZE.image + (place % 4) * 2;
    const was = IMAGE1[at] as number;
    removed[at] = was + 1;
    const [before, after] = [await mae(IMAGE1), await mae(removed)];
    expect(after.prediction).toEqual(before.prediction);
    // One of P²·C values of one of B·(L − K) patches: (p − t − 1)² − (p − t)² over that many.
    const p = before.prediction[(1 + place) * 12] ?? NaN;
    const change = ((p - was - 1) ** 2 - (p - was) ** 2) / (12 * BATCH * (LENGTH - KEEP));
    expect(Math.abs(after.loss - before.loss - change)).toBeLessThan(2e-7 * before.loss);
    expect(Math.abs(change)).toBeGreaterThan(1e-4 * before.loss);
  });
});
