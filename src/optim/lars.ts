import reduce from '../../shaders/reduce.wgsl';
import source from '../../shaders/lars.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { Module } from '../nn/module';
import { SEGMENT_BYTES, type Arena, type Parameters } from '../nn/parameters';
import type { Graph } from '../tensor/graph';
import { createTensor, disposeTensor, type LastingTensor, type Tensor } from '../tensor/tensor';
import type { LossScaling } from './lossScaling';
import { assertOption, halvesOf, Optimizer, whole, type OptimizerOptions } from './optimizer';

const kernels = kernelsOf('lars', source, ['larsNorms', 'larsRatios', 'larsUpdate'], { reduce });

/** Elements whose squares a workgroup adds. */
const BLOCK = 4096;
const SEGMENT = SEGMENT_BYTES / 4;

/** The settings of `Lars`. */
export interface LarsOptions extends OptimizerOptions {
  /** Share of the last move that goes on; 0.9 by default. */
  readonly momentum?: number;
  /** Share of a tensor's norm that a step of learning rate 1 may move it by; 0.001 by default. */
  readonly trust?: number;
  /** Share of the weights that is added to their gradient; 0 by default. */
  readonly weightDecay?: number;
}

/** MAE's recipe for linear probes. */
export const LARS_DEFAULTS = { momentum: 0.9, trust: 0.001, weightDecay: 0 } as const;

/** What the kernels need to know of an arena. */
interface Tables {
  readonly blocks: LastingTensor<'u32'>;
  readonly tensors: LastingTensor<'u32'>;
  readonly segments: LastingTensor<'u32'>;
}

/**
 * LARS (You et al. 2017) over a model's arenas: momentum whose steps are scaled, tensor by tensor, to a share of the
 * tensor's own norm. Tensors of one dimension are neither scaled nor decayed.
 */
export class Lars extends Optimizer<'mu'> {
  readonly #options: Required<Pick<LarsOptions, keyof typeof LARS_DEFAULTS>>;
  readonly #tables: readonly Tables[];

  /** @param model that is trained; it has memory @throws EngineError as `AdamW` */
  constructor(model: Module | Parameters, options: LarsOptions = {}, scaling?: LossScaling) {
    for (const name of ['momentum', 'trust', 'weightDecay'] as const) {
      assertOption('Lars', name, options[name], { least: 0 });
    }
    super(model, { label: 'Lars', moments: ['mu'], scaling }, options);
    this.#options = { ...LARS_DEFAULTS, ...options };
    this.#tables = this.states.map(({ arena }) => {
      const { blocks, tensors, segments } = tables(arena);
      const table = (label: string, shape: readonly number[], data: readonly number[]): LastingTensor<'u32'> =>
        createTensor(this.engine, `LARS ${label}`, shape, 'u32', Uint32Array.from(data));
      return {
        blocks: table('blocks', [blocks.length, 2], blocks.flat()),
        tensors: table('tensors', [tensors.length, 4], tensors.flat()),
        segments: table('segments', [segments.length], segments),
      };
    });
  }

  /**
   * Appends one update.
   *
   * @param rate [1], the learning rate: what `recordHyper` makes, or an input that is given before each run
   * @param norm what `gradientNorm` gives, whose factor is applied to the gradients; without it they are taken as they are
   */
  override record(graph: Graph, rate: Tensor, norm?: Tensor): void {
    const { momentum, trust, weightDecay: decay } = this.#options;
    const CLIPPED = norm !== undefined;
    const clip = norm ? { norm } : {};
    for (const [index, { arena, moments }] of this.states.entries()) {
      const { blocks, tensors, segments } = this.#tables[index] as Tables; // one an arena
      const count = arena.size / 4;
      const [values, grads] = [whole(arena, arena.values), whole(arena, arena.gradients)];
      const [n = 0] = blocks.shape;
      const [t = 0] = tensors.shape;
      const partials = graph.empty('LARS partials', [n, 2]);
      const ratios = graph.empty('LARS ratios', [t]);
      graph.dispatch({
        kernel: kernels.larsNorms,
        params: { CLIPPED },
        uniforms: { blocks: n, decay },
        bindings: { values, grads, blocks, partials, ...clip },
        workgroups: workgroupRow(Math.ceil(n / 4)),
      });
      graph.dispatch({
        kernel: kernels.larsRatios,
        uniforms: { tensors: t, trust },
        bindings: { partials, tensors, ratios },
        workgroups: [Math.ceil(t / 64)],
      });
      graph.dispatch({
        kernel: kernels.larsUpdate,
        params: { CLIPPED, SCALED: CLIPPED && this.scaling !== undefined, HALF: arena.halves !== undefined },
        uniforms: { count, decay, momentum },
        bindings: {
          ...{ grads, segments, tensors, ratios, rate, values, mu: moments.mu },
          ...clip,
          ...halvesOf(arena),
        },
        workgroups: workgroupRow(Math.ceil(count / 256)),
      });
    }
  }

  /** Gives back what the optimizer keeps. The parameters stay. */
  override dispose(): void {
    super.dispose();
    for (const { blocks, tensors, segments } of this.#tables) {
      for (const tensor of [blocks, tensors, segments]) disposeTensor(this.engine, tensor);
    }
  }
}

/** The shader's tables of an arena. What lies between tensors is zero and stays so, whichever tensor it counts to. */
function tables({ members, size }: Arena): { blocks: number[][]; tensors: number[][]; segments: number[] } {
  const blocks: number[][] = [];
  const segments = Array.from({ length: size / SEGMENT_BYTES }, () => 0);
  const tensors = members.map((member, index) => {
    const first = member.storage.offset / 4;
    const end = first + member.size;
    segments.fill(index, first / SEGMENT, Math.ceil(end / SEGMENT));
    const firstBlock = blocks.length;
    for (let at = first; at < end; at += BLOCK) blocks.push([at, Math.min(at + BLOCK, end)]);
    return [firstBlock, blocks.length, member.shape.length > 1 ? 1 : 0, 0];
  });
  return { blocks, tensors, segments };
}
