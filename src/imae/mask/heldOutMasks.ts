import { at } from '../../common/at';
import { batches } from '../../common/batches';
import type { SetFacts } from '../../data/imageSet';
import { permutation, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import type { Engine } from '../../engine/engine';
import { f32, u32 } from '../../engine/inputs';
import { mixture } from '../../ops/mixture';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, type Config } from '../config/config';
import { ordersOf, recordMasks, type MaskKind } from './masks';
import type { Model } from '../model/mae';
import { wholeBoxes } from '../model/views';
import type { Pair } from '../eval/heldOutPairs';

/** The masks that a model is judged and pictured under: the same for every model that is shown the same pairs. */
export interface HeldOutMasks {
  /** Of each pair, its patches in an order; the first are visible. */
  orders(pairs: readonly Pair[]): Promise<Uint32Array[]>;
  dispose(): void;
}

/** Masks that look at nothing. */
export function randomMasks(length: number): HeldOutMasks {
  return {
    orders: (pairs) =>
      Promise.resolve(pairs.map((_, index) => permutation(RandomStream.at(0, purposes.evaluation, 1 + index), length))),
    dispose: () => undefined,
  };
}

interface DrawnMasksSetup {
  readonly kind: MaskKind;
  readonly set: SetFacts;
  /** The normalised images [batch, C, H, W] of indices [batch], by boxes as of `augment`. */
  readonly view: (indices: Tensor<'u32'>, boxes: Tensor) => Tensor;
  readonly batch: number;
  /** For masks by attention. */
  readonly teacher: Model | undefined;
}

/** Masks of a kind, drawn on the GPU, a batch of pairs at a time. @throws EngineError `out-of-memory` */
export async function compileDrawnMasks(
  engine: Engine,
  config: Config,
  { kind, set, view, batch, teacher }: DrawnMasksSetup,
): Promise<HeldOutMasks> {
  const inputs = { ...pairInputs(batch), counter: u32(5) };
  const program = await engine.compile(inputs, ({ first, second, alpha, counter }, graph) => {
    const boxes = wholeBoxes(graph, set, batch);
    const { mixed } = mixture(view(first, boxes), view(second, boxes), alpha);
    const { idsShuffle } = recordMasks(config, { kind, seen: mixed, counter, teacher });
    return { idsShuffle };
  });
  return {
    async orders(pairs) {
      const orders: Uint32Array[] = [];
      for (const { part, from } of batches(pairs, batch)) {
        const counter = Uint32Array.of(0, 0, purposes.evaluation, 1, from);
        await program.run({ ...pairValues(part, batch), counter });
        orders.push(...ordersOf(await program.outputs.idsShuffle.data(), patchCount(config.model), part.length));
      }
      return orders;
    },
    dispose: () => program.dispose(),
  };
}

/** Pairs of images by their indices, and the weight of each one's first. */
export function pairInputs(batch: number) {
  return { first: u32(batch), second: u32(batch), alpha: f32(batch) };
}

/** The values of `pairInputs`: a batch that is not full is filled with its own pairs again. */
export function pairValues(pairs: readonly Pair[], batch: number) {
  const all = Array.from({ length: batch }, (_, index) => at(pairs, index % pairs.length));
  return {
    first: Uint32Array.from(all, ({ first }) => first),
    second: Uint32Array.from(all, ({ second }) => second),
    alpha: Float32Array.from(all, ({ alpha }) => alpha),
  };
}
