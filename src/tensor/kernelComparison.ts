import source from '../../shaders/differs.wgsl';
import { EngineError } from '../gpu/errors';
import { DEFAULT_REGISTERS, type DeviceTraits } from '../gpu/deviceTraits';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { Storage } from '../gpu/storage';
import { Debugging, ProgramDebugger, type ByTraits, type DebugTarget } from './debugging';
import { isFloat, type CheckPlace } from './numberChecks';
import type { TensorDispatch } from './recorder';
import { formatShape, type Shape } from './shape';
import { Tensor, type DType } from './tensor';

const kernels = kernelsOf('differs', source, ['differs', 'perturb']);

/** What the reference kernels are chosen by: one invocation a row, no tiles, no matrix units. */
const REFERENCE: DeviceTraits = { plain: true, software: true, workgroupBytes: 2 ** 14, registers: DEFAULT_REGISTERS };

/** KIND of perturb.wgsl. */
const KINDS = { words: 0, f32: 1, f16: 2, zeros: 3 };

/**
 * How much operands are moved to learn how rounding moves results: by more than the reference kernels round themselves, and so
 * little that it stays in proportion.
 */
const SHIFTS = { f32: 2 ** -16, f16: 2 ** -9 };

/** A margin for what is random about rounding, and about how operands are moved. */
const MARGIN = 4;

/** What the reference kernels make in the place of a tensor, and what is known of how they round. */
export interface Comparison {
  readonly reference: Tensor<DType>;
  /** What they make of operands that were changed by a part `shift` of themselves. */
  readonly moved: Tensor<DType>;
  readonly shift: number;
  /** Parts of the largest number that rounding may explain: see differs.wgsl. */
  readonly unit: number;
}

/** The operation and the kernels that were compared, as messages say it. */
export interface Compared {
  readonly operation: string;
  readonly fast: string;
  readonly reference: string;
}

/** Counts the numbers of a tensor that are not as the reference kernels make them, and says which is the first. */
export function findDifference(
  x: Tensor<DType>,
  { reference, moved, shift, unit }: Comparison,
  { found, at }: CheckPlace,
): TensorDispatch {
  return {
    kernel: kernels.differs,
    params: { TYPE: x.dtype === 'f32' ? 0 : x.dtype === 'f16' ? 1 : 2 },
    uniforms: { count: x.size, at, unit, shift, tiny: x.dtype === 'f16' ? 2 ** -14 : 2 ** -126 }, // what may become 0
    bindings: { x, reference, moved, found },
    workgroups: [1],
  };
}

/**
 * What operations choose fast kernels for is done by the reference kernels as well, on the same operands, and compared. What
 * both write is looked at after that, so that what only the fast ones make infinite is theirs.
 */
class KernelComparison extends Debugging {
  /** Dispatches that are only taken down, and the traits that they are chosen by. */
  #taken: { readonly traits: DeviceTraits; readonly dispatches: TensorDispatch[] } | undefined;

  readonly #looks: boolean;

  constructor(target: DebugTarget, looks: boolean) {
    super(target);
    this.#looks = looks;
  }

  override dispatch(dispatch: TensorDispatch): void {
    if (this.#taken) this.#taken.dispatches.push(dispatch);
    else super.dispatch(dispatch);
  }

  override look(tensor: Tensor<DType>, writer: string): void {
    if (this.#looks) super.look(tensor, writer);
  }

  /** Appends what `record` records by the traits of the device, and compares it with what it records by those of reference kernels. */
  override byTraits(operation: string, record: ByTraits): void {
    const { traits } = this.#taken ?? this.target;
    if (this.#taken || traits.plain) {
      record(traits);
      return;
    }
    const fast = this.#take(traits, record);
    const reference = this.#take(REFERENCE, record);
    if (kernelsIn(fast) === kernelsIn(reference)) for (const dispatch of fast) this.dispatch(dispatch);
    else this.#compare(operation, fast, reference);
  }

  #take(traits: DeviceTraits, record: ByTraits): readonly TensorDispatch[] {
    const dispatches: TensorDispatch[] = [];
    this.#taken = { traits, dispatches };
    try {
      record(traits);
    } finally {
      this.#taken = undefined;
    }
    return dispatches;
  }

  /**
   * Appends `fast`, and `reference` twice, on copies of what both write: of the operands, and of operands that were moved. Memory
   * of its own for every copy ends with the comparison, so a program takes little more than its largest operation.
   */
  #compare(operation: string, fast: readonly TensorDispatch[], reference: readonly TensorDispatch[]): void {
    // What only one of both writes is a means of its own.
    const written = this.writtenBy(reference);
    const outputs = this.writtenBy(fast).filter(({ storage }) => written.some((other) => other.storage === storage));
    const operands = new Set(reference.flatMap(({ bindings }) => Object.values(bindings))); // tensors, for their types
    const given = new Map([...operands].map((tensor) => [tensor.storage, tensor]));
    for (const { storage } of written) given.delete(storage);

    const all = [...given.values(), ...outputs];
    const isHalf = all.some(({ dtype }) => dtype === 'f16') || fast.some((each) => this.#computesInHalf(each));
    const shift = isHalf ? SHIFTS.f16 : SHIFTS.f32;
    const copies = new Map<Storage, Tensor<DType>>();
    const moved = new Map<Storage, Tensor<DType>>();
    for (const output of outputs) {
      // What nothing wrote yet may be written in part: the rest is to be the same everywhere.
      if (!this.target.recording.holds(output.storage)) {
        this.target.append(perturb(output, output, { kind: 'zeros', shift: 0, seed: 0 }));
      }
      copies.set(output.storage, this.#copy(output, 0));
    }
    for (const [seed, tensor] of all.entries()) {
      if (isFloat(tensor) || outputs.includes(tensor)) moved.set(tensor.storage, this.#copy(tensor, shift, seed));
    }
    const kernelsOfFast = this.append(fast);
    const kernelsOfReference = this.append(reference.map((each) => rebound(each, copies)));
    this.append(reference.map((each) => rebound(each, moved)));

    const terms = Math.max(...all.map(({ size }) => size));
    const unit = MARGIN * (Math.sqrt(terms) * 2 ** -24 + (isHalf ? 2 ** -11 : 0));
    const compared = { operation, fast: kernelsOfFast, reference: kernelsOfReference };
    for (const output of outputs) {
      const [copy, other] = [copies.get(output.storage), moved.get(output.storage)];
      if (copy && other && output.size > 0 && output.dtype !== 'u8') {
        this.target.append(this.#differing(output, { reference: copy, moved: other, shift, unit }, compared));
      }
      this.look(output, `which ${kernelsOfFast} wrote`);
    }
  }

  /** Appends a copy of a tensor: as it is, or moved by a part of itself. */
  #copy(x: Tensor<DType>, shift: number, seed = 0): Tensor<DType> {
    const { label, shape, dtype, storage } = x;
    const y = new Tensor(shape, dtype, this.target.recording.value(storage.size, `${label} by reference kernels`));
    const kind = shift > 0 && (dtype === 'f32' || dtype === 'f16') ? dtype : 'words';
    this.target.append(perturb(x, y, { kind, shift, seed }));
    return y;
  }

  #computesInHalf({ kernel, params = {} }: TensorDispatch): boolean {
    return this.target.recording.engine.kernel(kernel, params).specialized.features.includes('shader-f16');
  }

  /** The dispatch that looks for what is not as the reference kernels make it. */
  #differing(tensor: Tensor<DType>, comparison: Comparison, { operation, fast, reference }: Compared): TensorDispatch {
    const { label, shape } = tensor;
    const fail = (what: string, found: DataView): EngineError => {
      const number = (byte: number): string =>
        isFloat(tensor) ? found.getFloat32(byte, true).toPrecision(8) : String(found.getUint32(byte, true));
      const bound = isFloat(tensor) ? ` by more than the ${found.getFloat32(16, true).toPrecision(2)} of rounding` : '';
      return new EngineError(
        'wrong-kernel',
        `${what}, of ${operation}, is the first tensor that differs from what the reference kernels make of the same ` +
          `operands: at ${formatShape(placeOf(found.getUint32(4, true), shape))} ${fast} wrote ${number(8)}, ${reference} ` +
          `wrote ${number(12)}. Of its numbers ${found.getUint32(0, true)} differ${bound}.`,
        "The fast kernel or the GPU's driver is wrong: report it. Until then open the engine with plain: true.",
      );
    };
    return findDifference(tensor, comparison, this.checks.place({ label, shape, fail }));
  }
}

class KernelDebugger extends ProgramDebugger {
  readonly looksFor = 'kernels that are wrong';

  readonly #looks: boolean;

  constructor(looks: boolean) {
    super();
    this.#looks = looks;
  }

  override begin(target: DebugTarget): Debugging {
    return new KernelComparison(target, this.#looks);
  }
}

/**
 * For `debug` of programs and engines: compares what fast kernels make with what the reference kernels make of the same
 * operands. A run throws `wrong-kernel` at the first tensor that differs by more than rounding.
 *
 * @param options.finite whether it also throws `not-finite`, as `debug: true` does; true by default
 */
export function compareKernels(options: { readonly finite?: boolean } = {}): ProgramDebugger {
  return new KernelDebugger(options.finite ?? true);
}

/** y = x, or x moved by a part `shift` of itself, or 0. */
export function perturb(
  x: Tensor<DType>,
  y: Tensor<DType>,
  { kind, shift, seed }: { readonly kind: keyof typeof KINDS; readonly shift: number; readonly seed: number },
): TensorDispatch {
  const count = y.storage.size / 4;
  return {
    kernel: kernels.perturb,
    params: { KIND: KINDS[kind] },
    uniforms: { count, seed: seed * 2 ** 20, shift },
    bindings: { y, ...(kind === 'zeros' ? {} : { x }) },
    workgroups: workgroupRow(Math.ceil(count / 64)),
  };
}

/** Tells dispatches of other kernels, or of other sizes of theirs, apart. */
function kernelsIn(dispatches: readonly TensorDispatch[]): string {
  return JSON.stringify(
    dispatches.map(({ kernel: { name }, params, uniforms, workgroups, alternatives }) => {
      return [name, params, uniforms, workgroups, alternatives?.variants.length ?? 0];
    }),
  );
}

/** A dispatch that finds some of its tensors elsewhere. */
function rebound(dispatch: TensorDispatch, places: ReadonlyMap<Storage, Tensor<DType>>): TensorDispatch {
  const bindings = Object.entries(dispatch.bindings).map(([name, tensor]) => [
    name,
    places.get(tensor.storage) ?? tensor,
  ]);
  return { ...dispatch, bindings: Object.fromEntries(bindings) as TensorDispatch['bindings'] };
}

/** The indices of an element. */
function placeOf(element: number, shape: Shape): number[] {
  let rest = element;
  return shape.toReversed().reduce<number[]>((place, extent) => {
    const index = rest % extent;
    rest = (rest - index) / extent;
    return [index, ...place];
  }, []);
}
