import reduce from '../../shaders/reduce.wgsl';
import source from '../../shaders/muon.wgsl';
import type { DeviceTraits } from '../gpu/deviceTraits';
import type { GpuEngine } from '../gpu/gpuEngine';
import type { ParamValues } from '../gpu/expression';
import { workgroupRow, type Dispatch } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { Module } from '../nn/module';
import type { Arena, Parameters } from '../nn/parameters';
import type { Graph } from '../tensor/graph';
import type { Parameter } from '../tensor/parameter';
import { createTensor, disposeTensor, type LastingTensor, type Tensor } from '../tensor/tensor';
import { AdamW, ADAMW_DECAY, type AdamWOptions } from './adamw';
import type { LossScaling } from './lossScaling';
import { byDimensions, halvesOf, whole } from './optimizer';

const kernels = kernelsOf('muon', source, ['muonMomentum', 'muonProduct', 'muonPanel', 'muonUpdate'], { reduce });

/** Newton-Schulz iterations. Four do in training what Jordan's five do. */
export const MUON_ITERATIONS = 4;
/** Coefficients a, b, c of Jordan's quintic, chosen for its slope at zero: singular values end between 0.7 and 1.2. */
export const MUON_COEFFICIENTS = [3.4445, -4.775, 2.0315] as const;

/** Rows and columns that an invocation makes: few for GPUs, which want many invocations; many where each load counts. */
const TILE = 4;
const SOFTWARE_TILE = 8;
/** What muonPanel takes at once: 48 columns, by 24 terms, which compile fast enough. */
const PANEL = { COLUMNS: 12, DEPTH: 24 } as const;
const PANEL_ROWS = 64;

/** The settings of `Muon`: those of AdamW, and what Muon takes out of its hands. */
export interface MuonOptions extends AdamWOptions {
  /** Times the learning rate of AdamW, whose steps have another size. */
  readonly rate: number;
  /**
   * How many matrices of equal shape a parameter is, one above the other: 1 for most, 3 for queries, keys and values; 0 leaves
   * it to AdamW. What follows its first dimension counts as a row.
   */
  readonly matrices: (parameter: Pick<Parameter, 'name' | 'shape'>) => number;
}

/** Matrices of one shape, which are taken together. */
interface Group {
  /** The longer side, and the shorter one. */
  readonly height: number;
  readonly width: number;
  /** Whether they lie in memory as [width, height]. */
  readonly transposed: boolean;
  /** Shares in the learning rate: √(outputs / inputs) where outputs are more. */
  readonly rate: number;
  readonly places: LastingTensor<'u32'>;
}

/**
 * Muon (Jordan et al. 2024) for the matrices that `matrices` says, and AdamW for the rest. The momentum of a matrix, made
 * orthogonal, is what moves it. Its second moment stands idle, so that what is saved has AdamW's form.
 */
export class Muon extends AdamW {
  readonly #movers: readonly MatrixMover[];

  /** @param model that is trained; it has memory @throws EngineError as `AdamW` */
  constructor(model: Module | Parameters, options: MuonOptions, scaling?: LossScaling) {
    const { matrices, group = byDimensions } = options;
    const isMatrix = (parameter: Parameter): boolean => matrices(parameter) > 0;
    super(
      model,
      { ...options, group: (each) => (isMatrix(each) ? { scale: 0, decayed: false } : group(each)) },
      scaling,
    );
    this.#movers = this.states.map(({ arena }) => new MatrixMover(this.engine, arena, options));
  }

  /** Appends one update, as AdamW's. */
  override record(graph: Graph, hyper: Tensor, norm: Tensor): void {
    super.record(graph, hyper, norm);
    for (const [index, { moments }] of this.states.entries()) {
      this.#movers[index]?.record(graph, moments.m, hyper, norm, this.scaling !== undefined);
    }
  }

  /** Gives back what the optimizer keeps. The parameters stay. */
  override dispose(): void {
    super.dispose();
    for (const mover of this.#movers) mover.dispose();
  }
}

/** What moves the matrices of an arena. */
class MatrixMover {
  readonly #groups: readonly Group[];

  readonly #engine: GpuEngine;
  readonly #arena: Arena;
  readonly #options: MuonOptions;

  constructor(engine: GpuEngine, arena: Arena, options: MuonOptions) {
    this.#engine = engine;
    this.#arena = arena;
    this.#options = options;
    const groups = new Map<string, Omit<Group, 'places'> & { readonly places: number[] }>();
    for (const member of arena.members) {
      const parts = options.matrices(member);
      if (parts === 0) continue;
      const [rows = 1] = member.shape;
      const outputs = rows / parts;
      const inputs = member.size / rows;
      const shape = {
        height: Math.max(outputs, inputs),
        width: Math.min(outputs, inputs),
        transposed: outputs < inputs,
        rate: options.rate * Math.sqrt(Math.max(1, outputs / inputs)),
      };
      const key = `${outputs}×${inputs}`;
      const group = groups.get(key) ?? { ...shape, places: [] };
      const first = member.storage.offset / 4;
      for (let part = 0; part < parts; part++) group.places.push(first + part * outputs * inputs);
      groups.set(key, group);
    }
    this.#groups = [...groups.values()].map(({ places, ...shape }) => ({
      ...shape,
      places: createTensor(engine, 'Muon places', [places.length], 'u32', Uint32Array.from(places)),
    }));
  }

  /**
   * Appends one update, after AdamW's.
   *
   * @param m the arena's first moments, with this step's gradient in them
   * @param hyper as of AdamW: learning rate and β1
   * @param norm as of AdamW
   * @param scaled whether a step may be skipped, as `norm` says
   */
  record(graph: Graph, m: Tensor, hyper: Tensor, norm: Tensor, scaled: boolean): void {
    const arena = this.#arena;
    const { weightDecay: decay = ADAMW_DECAY } = this.#options;
    for (const { height, width, transposed, rate, places } of this.#groups) {
      const matrices = places.size;
      const TRANSPOSED = transposed;
      let y: Tensor = graph.empty('Muon momentum', [matrices, height, width]);
      graph.dispatch({
        kernel: kernels.muonMomentum,
        params: { TRANSPOSED },
        uniforms: { height, width },
        bindings: { grads: whole(arena, arena.gradients), m, places, hyper, norm, y },
        workgroups: workgroupRow(matrices),
      });
      const [a, b, c] = MUON_COEFFICIENTS;
      for (let iteration = 0; iteration < MUON_ITERATIONS; iteration++) {
        const gram = product(graph, { left: y, right: y });
        const polynomial = product(graph, { left: gram, right: gram, base: gram, before: b, by: c });
        y = product(graph, { left: y, right: polynomial, base: y, before: a, by: 1 });
      }
      graph.dispatch({
        kernel: kernels.muonUpdate,
        params: { TRANSPOSED, HALF: arena.halves !== undefined, SCALED: scaled },
        uniforms: { matrices, height, width, rate, decay },
        bindings: {
          ...{ y, places, hyper, norm, values: whole(arena, arena.values) },
          ...halvesOf(arena),
        },
        workgroups: workgroupRow(Math.ceil((matrices * height * width) / 64)),
      });
    }
  }

  /** Gives back what it keeps. The parameters stay. */
  dispose(): void {
    for (const { places } of this.#groups) disposeTensor(this.#engine, places);
  }
}

interface ProductOperands {
  readonly left: Tensor;
  readonly right: Tensor;
  /** What the product is added to, and both their factors; absent: leftᵀ·right. */
  readonly base?: Tensor;
  readonly before?: number;
  readonly by?: number;
}

/** Appends before·base + by·left·right, matrix by matrix; without a base leftᵀ·right. */
function product(graph: Graph, { left, right, base, before = 0, by = 1 }: ProductOperands): Tensor {
  const [matrices = 0, depth = 0, width = 0] = right.shape;
  const height = base ? (left.shape[1] ?? 0) : width;
  const out = graph.empty('Muon product', [matrices, height, width]);
  graph.byTraits('Muon', (traits) => {
    const { kernel, params, workgroups } = plan(traits, matrices, height, width);
    graph.dispatch({
      kernel,
      params: { GRAM: base === undefined, ...params },
      uniforms: { matrices, height, width, depth, before, by },
      bindings: { left, right, out, ...(base ? { base } : {}) },
      flops: 2 * matrices * height * width * depth,
      workgroups,
    });
  });
  return out;
}

/** The kernel of a product and its grid. They give the same bits. */
function plan(
  { software, plain, subgroups }: DeviceTraits,
  matrices: number,
  height: number,
  width: number,
): Pick<Dispatch, 'kernel' | 'workgroups'> & { readonly params: ParamValues } {
  const tiles = (rows: number, columns: number): number =>
    matrices * Math.ceil(height / rows) * Math.ceil(width / columns);
  if (software && !plain && (subgroups?.min ?? 0) <= 4) {
    return { kernel: kernels.muonPanel, params: PANEL, workgroups: workgroupRow(tiles(PANEL_ROWS, 4 * PANEL.COLUMNS)) };
  }
  const side = software && !plain ? SOFTWARE_TILE : TILE;
  return {
    kernel: kernels.muonProduct,
    params: { TM: side, TN: side },
    workgroups: workgroupRow(Math.ceil(tiles(side, side) / 64)),
  };
}
