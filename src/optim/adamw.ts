import source from '../../shaders/adamw.wgsl';
import { EngineError } from '../gpu/errors';
import type { GpuEngine } from '../gpu/gpuEngine';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { Slice } from '../gpu/storage';
import type { Module } from '../nn/module';
import { Parameters, SEGMENT_BYTES, type Arena } from '../nn/parameters';
import { exactLog, power } from '../tensor/exactMath';
import { graphOf, type Graph } from '../tensor/graph';
import type { Parameter } from '../tensor/parameter';
import { createTensor, disposeTensor, readTensor, Tensor, type LastingTensor, type Scalar } from '../tensor/tensor';
import { gradientNorm } from './gradientNorm';
import type { LossScaling } from './lossScaling';
import { Muon, type MuonOptions } from './muon';
import type { Schedule } from './schedule';

const kernels = kernelsOf('adamw', source, ['adamw', 'adamwHyper']);

export interface AdamWOptions {
  /** For `minimize`: the same at every step, or a schedule, which advances on the GPU. */
  readonly learningRate?: number | Schedule;
  /** For `minimize`: the largest norm of the whole gradient; by default it is not clipped. */
  readonly clipNorm?: number;
  /** How slowly the moments follow; 0.9 and 0.999 by default. */
  readonly betas?: readonly [number, number];
  /** What keeps steps finite where gradients vanish; 1e-8 by default. */
  readonly eps?: number;
  /** Share of the learning rate by which weights shrink at a step; 0.01 by default. */
  readonly weightDecay?: number;
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
const STEP = 'step';

/** PyTorch's. */
const DEFAULTS = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01 } as const;

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
  private readonly engine: GpuEngine;
  private readonly parameters: Parameters;
  private readonly options: AdamWOptions & Required<Pick<AdamWOptions, keyof typeof DEFAULTS>>;
  private readonly states: readonly ArenaState[];
  /** Steps that `minimize` did: [1]. */
  readonly step: LastingTensor<'u32'> | undefined;

  /**
   * @param model that is trained; it has memory
   * @param scaling of the gradients; owned, and saved with the moments
   * @throws EngineError `bad-program` where the model has no memory, `out-of-memory`
   */
  constructor(
    model: Module | Parameters,
    options: AdamWOptions = {},
    readonly scaling?: LossScaling,
  ) {
    this.parameters = Parameters.of(model);
    const { engine, arenas } = this.parameters;
    this.engine = engine;
    this.options = { ...DEFAULTS, ...options };
    const { learningRate, muon, weightDecay } = this.options;
    this.step = learningRate === undefined ? undefined : createTensor(engine, 'AdamW step', [1], 'u32');
    this.states = arenas.map((arena) => {
      const count = arena.size / 4;
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

  /**
   * Appends a step that makes a loss smaller: the gradients, their clipping where that is asked for, the update. Each run of
   * the program is a step; it is counted on the GPU.
   *
   * @throws EngineError `bad-program` where the loss depends on nothing that is trained, or the optimizer has no learning rate
   */
  minimize(loss: Scalar): void {
    const program = graphOf('minimize', loss);
    program.backward(loss, this.scaling?.scale);
    const norm = gradientNorm(program, this.parameters.arenas, this.options.clipNorm ?? 0, this.scaling);
    this.record(program, this.recordHyper(program), norm);
  }

  /** Appends the count of a step, and what it needs: [`HYPER_VALUES`]. @throws EngineError as `minimize` */
  recordHyper(graph: Graph): Tensor {
    const { learningRate, betas, eps } = this.options;
    if (learningRate === undefined || !this.step) {
      throw new EngineError('bad-program', 'minimize: AdamW has no learning rate.', 'Give it learningRate.');
    }
    const [beta1, beta2] = betas;
    const schedule = typeof learningRate === 'number' ? undefined : learningRate;
    const decay = schedule?.decay ?? 'cosine';
    const hyper = graph.empty('AdamW hyper', [HYPER_VALUES]);
    graph.dispatch({
      kernel: kernels.adamwHyper,
      params: { DECAY: schedule === undefined ? 0 : decay === 'cosine' ? 1 : 2 },
      uniforms: {
        ...{ peak: schedule?.peak ?? Number(learningRate), minimum: schedule?.minimum ?? 0 },
        ...{ warmup: schedule?.warmupSteps ?? 0, steps: schedule?.steps ?? 0, share: decay === 'cosine' ? 1 : decay },
        ...{ beta1, rest1: 1 - beta1, log1: exactLog(beta1), beta2, rest2: 1 - beta2, log2: exactLog(beta2), eps },
      },
      bindings: { step: this.step, hyper },
      workgroups: [1],
    });
    return hyper;
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

  /** Every moment by name: `m.NAME`, `v.NAME`; the steps of `minimize`, and the state of the loss scaling, where there is one. */
  async read(): Promise<Map<string, Float32Array>> {
    const values = new Map<string, Float32Array>();
    if (this.scaling) values.set(SCALING, await readTensor(this.engine, this.scaling.state));
    if (this.step) values.set(STEP, Float32Array.from(await readTensor(this.engine, this.step)));
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
    if (this.step) {
      const data = values.get(STEP);
      if (data?.length !== 1) return STEP;
      this.engine.write(this.step.storage, Uint32Array.from(data));
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
    if (this.step) disposeTensor(this.engine, this.step);
    this.scaling?.dispose();
  }
}
