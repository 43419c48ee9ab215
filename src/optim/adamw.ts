import source from '../../shaders/adamw.wgsl';
import type { GpuEngine } from '../gpu/gpuEngine';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { Slice } from '../gpu/storage';
import { SEGMENT_BYTES, type Arena, type Parameters } from '../nn/parameters';
import { power } from '../tensor/exactMath';
import type { Graph } from '../tensor/graph';
import type { Parameter } from '../tensor/parameter';
import { createTensor, disposeTensor, readTensor, Tensor, type LastingTensor } from '../tensor/tensor';
import type { LossScaling } from './lossScaling';
import { Muon, type MuonOptions } from './muon';

const kernels = kernelsOf('adamw', source, ['adamw']);

export interface AdamWOptions {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  /**
   * What share of the learning rate a parameter takes, and whether it is decayed; by default all of it, and as `isDecayed`
   * says.
   */
  readonly group?: (parameter: Parameter) => { readonly scale: number; readonly decayed: boolean };
  /** Takes the matrices that it says out of AdamW's hands, but for their momentum; absent: all is AdamW's. */
  readonly muon?: MuonOptions;
}

/** How many numbers a step is told. */
export const HYPER_VALUES = 8;

/** The names under which an optimizer's state is saved, a tensor a parameter. */
const MOMENTS = ['m', 'v'] as const;
const SCALING = 'lossScaling';

interface ArenaState {
  readonly arena: Arena;
  readonly segments: LastingTensor;
  readonly m: LastingTensor;
  readonly v: LastingTensor;
  readonly muon?: Muon;
}

/**
 * Whether the published recipes decay a parameter: not biases and other parameters of one dimension; class and mask
 * token, of three, are decayed.
 */
export function isDecayed({ shape }: Pick<Parameter, 'shape'>): boolean {
  return shape.length > 1;
}

/**
 * AdamW (Loshchilov and Hutter 2019) over a model's arenas, in PyTorch's order of operations: a dispatch an arena. Matrices
 * that Muon moves keep their first moment here; their second stands idle, so that what is saved has one form.
 */
export class AdamW {
  private readonly states: readonly ArenaState[];

  constructor(
    private readonly engine: GpuEngine,
    parameters: Parameters,
    private readonly options: AdamWOptions,
    /** Of the gradients; owned, and saved with the moments. */
    readonly scaling?: LossScaling,
  ) {
    this.states = parameters.arenas.map((arena) => {
      const count = arena.size / 4;
      const { muon, weightDecay } = this.options;
      return {
        arena,
        segments: createTensor(engine, 'AdamW segments', [count / 64, 2], 'f32', this.segmentTable(arena)),
        m: createTensor(engine, 'AdamW m', [count], 'f32'),
        v: createTensor(engine, 'AdamW v', [count], 'f32'),
        ...(muon ? { muon: new Muon(engine, arena, muon, weightDecay) } : {}),
      };
    });
  }

  private segmentTable({ members, size }: Arena): Float32Array {
    const {
      weightDecay,
      muon,
      group = (parameter: Parameter) => ({ scale: 1, decayed: isDecayed(parameter) }),
    } = this.options;
    const table = new Float32Array((size / SEGMENT_BYTES) * 2);
    for (const member of members) {
      const { offset, size: bytes } = member.storage;
      const { scale, decayed } = muon && muon.matrices(member) > 0 ? { scale: 0, decayed: false } : group(member);
      const decay = decayed ? weightDecay : 0;
      for (let at = offset; at < offset + bytes; at += SEGMENT_BYTES)
        table.set([scale, decay], (at / SEGMENT_BYTES) * 2);
    }
    return table;
  }

  /** What the kernel needs of a step: [`HYPER_VALUES`]. @param step counted from 1 */
  hyper(learningRate: number, step: number): Float32Array {
    const { betas, eps } = this.options;
    const [beta1, beta2] = betas;
    return Float32Array.of(
      learningRate,
      Math.sqrt(1 - power(beta2, step)),
      1 / (1 - power(beta1, step)),
      beta1,
      1 - beta1,
      beta2,
      1 - beta2,
      eps,
    );
  }

  /**
   * Appends one update.
   *
   * @param hyper an input of the program, [`HYPER_VALUES`], given before each run what `hyper` makes
   * @param norm what `gradientNorm` gives: its factor is applied to the gradients. Where their scaling has them skipped,
   *   nothing changes; the step counts all the same in the learning rate and in the moments' corrections
   */
  record(graph: Graph, hyper: Tensor, norm: Tensor): void {
    for (const { arena, segments, m, v, muon } of this.states) {
      const count = arena.size / 4;
      const whole = (buffer: Arena['values']): Tensor => new Tensor([count], 'f32', new Slice(buffer, 0, arena.size));
      graph.dispatch({
        kernel: kernels.adamw,
        params: { HALF: arena.halves !== undefined, SCALED: this.scaling !== undefined },
        uniforms: { count },
        bindings: {
          ...{ grads: whole(arena.gradients), segments, hyper, norm, values: whole(arena.values), m, v },
          ...(arena.halves ? { halves: new Tensor([count], 'f16', new Slice(arena.halves, 0, count * 2)) } : {}),
        },
        workgroups: workgroupRow(Math.ceil(count / 64)),
      });
      muon?.record(graph, m, hyper, norm, this.scaling !== undefined);
    }
  }

  /** Every moment by name: `m.NAME`, `v.NAME`; and the state of the loss scaling, where there is one. */
  async read(): Promise<Map<string, Float32Array>> {
    const values = new Map<string, Float32Array>();
    if (this.scaling) values.set(SCALING, await readTensor(this.engine, this.scaling.state));
    for (const state of this.states) {
      for (const moment of MOMENTS) {
        for (const member of state.arena.members) {
          values.set(
            `${moment}.${member.name}`,
            new Float32Array(await this.engine.read(this.place(state, moment, member))),
          );
        }
      }
    }
    return values;
  }

  /**
   * Sets the moments that `read` gave.
   *
   * @returns the name of the first moment that is missing or of another size; undefined where all were set
   */
  write(values: ReadonlyMap<string, Float32Array>): string | undefined {
    if (this.scaling) {
      const { state } = this.scaling;
      const data = values.get(SCALING);
      if (data?.length !== state.size) return SCALING;
      this.engine.write(state.storage, data);
    }
    for (const state of this.states) {
      for (const moment of MOMENTS) {
        for (const member of state.arena.members) {
          const name = `${moment}.${member.name}`;
          const data = values.get(name);
          if (data?.length !== member.size) return name;
          this.engine.write(this.place(state, moment, member), data);
        }
      }
    }
    return undefined;
  }

  private place(state: ArenaState, moment: (typeof MOMENTS)[number], member: Parameter): Slice {
    const { offset, size } = member.storage;
    return new Slice(state[moment].storage.buffer, offset, size);
  }

  dispose(): void {
    for (const { segments, m, v, muon } of this.states) {
      for (const tensor of [segments, m, v]) disposeTensor(this.engine, tensor);
      muon?.dispose();
    }
    this.scaling?.dispose();
  }
}
