import { purposes, RandomStream } from '../../data/philox';
import type { Engine } from '../../gpu/engine';
import { mixture } from '../../ops/mixture';
import { Graph, type TensorProgram } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, type Config } from '../config/config';
import { ordersOf, recordMasks, type MaskKind } from './masks';
import type { Model } from '../model/mae';
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
      Promise.resolve(pairs.map((_, index) => RandomStream.at(0, purposes.evaluation, 1 + index).permutation(length))),
    dispose: () => undefined,
  };
}

interface DrawnMasksSetup {
  readonly kind: MaskKind;
  /** The normalised images of indices [batch] u32: [batch, C, H, W]. */
  readonly view: (graph: Graph, indices: Tensor) => Tensor;
  readonly batch: number;
  /** For masks by attention. */
  readonly teacher: Model | undefined;
}

/** Masks of a kind, drawn on the GPU, a batch of pairs at a time. */
export class DrawnMasks implements HeldOutMasks {
  private constructor(
    private readonly program: TensorProgram,
    private readonly tensors: {
      readonly first: Tensor;
      readonly second: Tensor;
      readonly alpha: Tensor;
      readonly counter: Tensor;
      readonly idsShuffle: Tensor;
    },
    private readonly batch: number,
    private readonly length: number,
  ) {}

  static async create(
    engine: Engine,
    config: Config,
    { kind, view, batch, teacher }: DrawnMasksSetup,
  ): Promise<DrawnMasks> {
    const graph = new Graph(engine);
    const first = graph.input('first', [batch], 'u32');
    const second = graph.input('second', [batch], 'u32');
    const alpha = graph.input('alpha', [batch]);
    const counter = graph.input('mask counter', [5], 'u32');
    const { mixed } = mixture(view(graph, first), view(graph, second), alpha);
    const { idsShuffle } = recordMasks(config, { kind, seen: mixed, counter, teacher });
    graph.output(idsShuffle);
    return new DrawnMasks(
      await graph.compile(),
      { first, second, alpha, counter, idsShuffle },
      batch,
      patchCount(config.model),
    );
  }

  async orders(pairs: readonly Pair[]): Promise<Uint32Array[]> {
    const { program, tensors, batch, length } = this;
    const orders: Uint32Array[] = [];
    for (let from = 0; from < pairs.length; from += batch) {
      const part = pairs.slice(from, from + batch);
      const filled = Array.from({ length: batch }, (_, index) => part[index % part.length] as Pair);
      program.write(
        tensors.first,
        Uint32Array.from(filled, ({ first }) => first),
      );
      program.write(
        tensors.second,
        Uint32Array.from(filled, ({ second }) => second),
      );
      program.write(
        tensors.alpha,
        Float32Array.from(filled, ({ alpha }) => alpha),
      );
      program.write(tensors.counter, Uint32Array.of(0, 0, purposes.evaluation, 1, from));
      program.run();
      orders.push(...ordersOf((await program.read(tensors.idsShuffle)) as Uint32Array, length, part.length));
    }
    return orders;
  }

  dispose(): void {
    this.program.dispose();
  }
}
