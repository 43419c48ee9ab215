import reduce from '../../shaders/reduce.wgsl';
import source from '../../shaders/lars.wgsl';
import type { GpuEngine } from '../gpu/gpuEngine';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { Slice } from '../gpu/storage';
import type { Module } from '../nn/module';
import { Parameters, SEGMENT_BYTES, type Arena } from '../nn/parameters';
import type { Graph } from '../tensor/graph';
import { createTensor, disposeTensor, Tensor, type LastingTensor } from '../tensor/tensor';

const kernels = kernelsOf('lars', source, ['larsNorms', 'larsRatios', 'larsUpdate'], { reduce });

/** Elements whose squares a workgroup adds. */
const BLOCK = 4096;
const SEGMENT = SEGMENT_BYTES / 4;

export interface LarsOptions {
  readonly momentum: number;
  /** Share of a tensor's norm that a step of learning rate 1 may move it by. */
  readonly trust: number;
  readonly weightDecay: number;
}

/** MAE's recipe for linear probes. */
export const LARS_DEFAULTS: LarsOptions = { momentum: 0.9, trust: 0.001, weightDecay: 0 };

interface ArenaState {
  readonly arena: Arena;
  readonly blocks: LastingTensor<'u32'>;
  readonly tensors: LastingTensor<'u32'>;
  readonly segments: LastingTensor<'u32'>;
  readonly mu: LastingTensor;
}

/**
 * LARS (You et al. 2017) over a model's arenas: momentum whose steps are scaled, tensor by tensor, to a share of the
 * tensor's own norm. Tensors of one dimension are neither scaled nor decayed.
 */
export class Lars {
  private readonly states: readonly ArenaState[];

  private readonly engine: GpuEngine;

  /** @param model that is trained; it has memory @throws EngineError as `AdamW` */
  constructor(
    model: Module | Parameters,
    private readonly options: LarsOptions = LARS_DEFAULTS,
  ) {
    const { engine, arenas } = Parameters.of(model);
    this.engine = engine;
    this.states = arenas.map((arena) => {
      const { blocks, tensors, segments } = tables(arena);
      const table = (label: string, shape: readonly number[], data: readonly number[]): LastingTensor<'u32'> =>
        createTensor(engine, `LARS ${label}`, shape, 'u32', Uint32Array.from(data));
      return {
        arena,
        blocks: table('blocks', [blocks.length, 2], blocks.flat()),
        tensors: table('tensors', [tensors.length, 4], tensors.flat()),
        segments: table('segments', [segments.length], segments),
        mu: createTensor(engine, 'LARS mu', [arena.size / 4], 'f32'),
      };
    });
  }

  /** Appends one update. @param rate [1], the learning rate: an input of the program, given before each run */
  record(graph: Graph, rate: Tensor): void {
    const { momentum, trust, weightDecay: decay } = this.options;
    for (const { arena, blocks, tensors, segments, mu } of this.states) {
      const count = arena.size / 4;
      const whole = (buffer: Arena['values']): Tensor => new Tensor([count], 'f32', new Slice(buffer, 0, arena.size));
      const [values, grads] = [whole(arena.values), whole(arena.gradients)];
      const [n = 0] = blocks.shape;
      const [t = 0] = tensors.shape;
      const partials = graph.empty('LARS partials', [n, 2]);
      const ratios = graph.empty('LARS ratios', [t]);
      graph.dispatch({
        kernel: kernels.larsNorms,
        uniforms: { blocks: n, decay },
        bindings: { values, grads, blocks, partials },
        workgroups: workgroupRow(n),
      });
      graph.dispatch({
        kernel: kernels.larsRatios,
        uniforms: { tensors: t, trust },
        bindings: { partials, tensors, ratios },
        workgroups: [Math.ceil(t / 64)],
      });
      graph.dispatch({
        kernel: kernels.larsUpdate,
        uniforms: { count, decay, momentum },
        bindings: { grads, segments, tensors, ratios, rate, values, mu },
        workgroups: workgroupRow(Math.ceil(count / 64)),
      });
    }
  }

  dispose(): void {
    for (const { blocks, tensors, segments, mu } of this.states) {
      for (const tensor of [blocks, tensors, segments, mu]) disposeTensor(this.engine, tensor);
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
