import source from '../../shaders/nonFinite.wgsl';
import { EngineError } from '../gpu/errors';
import type { Program } from '../gpu/program';
import { workgroupRow, type Recording } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { Value } from '../gpu/storage';
import type { TensorDispatch } from './recorder';
import { formatShape, type Shape } from './shape';
import { Tensor, type DType } from './tensor';

const kernels = kernelsOf('nonFinite', source, ['nonFinite']);

/** Words that a check leaves, and checks that share a buffer. */
const WORDS = 8;
const CHECKS = 512;

/** Where a check leaves what it finds. */
export interface CheckPlace {
  readonly found: Tensor<'u32'>;
  readonly at: number;
}

/** A check: what to say of what it found. */
export interface Check {
  readonly label: string;
  readonly shape: Shape;
  readonly fail: (what: string, found: DataView) => EngineError;
}

/** Whether a tensor is made of what can be not finite. */
export const isFloat = ({ dtype }: Tensor<DType>): boolean => dtype === 'f32' || dtype === 'f16';

/** Counts the numbers of a tensor that are not finite. */
export function findNonFinite(x: Tensor<DType>, { found, at }: CheckPlace): TensorDispatch {
  const HALF = x.dtype === 'f16';
  return {
    kernel: kernels.nonFinite,
    params: { HALF },
    uniforms: { count: x.size, at },
    bindings: { x, found },
    workgroups: workgroupRow(Math.ceil((HALF ? x.size / 2 : x.size) / 64)),
  };
}

/** Looks at numbers of a program as soon as they are written: which tensor is the first with wrong ones? */
export class NumberChecks {
  readonly #checks: Check[] = [];
  /** What was found, over all runs: memory of the program's own, so that it is there once that is compiled. */
  readonly #found: Value[] = [];

  readonly #recording: Recording;

  constructor(recording: Recording) {
    this.#recording = recording;
  }

  /** A place for what a check finds. */
  place(check: Check): CheckPlace {
    const index = this.#checks.push(check) - 1;
    if (index % CHECKS === 0) {
      const found = this.#recording.state('what was found', new Uint8Array(4 * WORDS * CHECKS));
      this.#recording.output(found);
      this.#found.push(found);
    }
    return { found: new Tensor([WORDS * CHECKS], 'u32', this.#found.at(-1)), at: index % CHECKS };
  }

  /** The dispatch that looks for what is not finite; undefined where a tensor holds whole numbers. */
  finite(tensor: Tensor<DType>, writer: string): TensorDispatch | undefined {
    const { label, shape, size } = tensor;
    if (!isFloat(tensor) || size === 0) return undefined;
    const fail = (what: string, found: DataView): EngineError =>
      new EngineError(
        'not-finite',
        `${what}, ${writer}, is the first tensor with a number that is not finite: ${found.getUint32(0, true)} of them.`,
        'Look at what it is made of: the tensors before it are finite.',
      );
    return findNonFinite(tensor, this.place({ label, shape, fail }));
  }

  /**
   * @param run the number of the run, from 1
   * @throws EngineError `not-finite`, `wrong-kernel`: the first tensor of the latest run with a number that is wrong
   */
  async assertRight(run: number, program: Program): Promise<void> {
    for (const [chunk, value] of this.#found.entries()) {
      const found = await program.read(value);
      const words = new Uint32Array(found);
      const at = words.findIndex((word, index) => index % WORDS === 0 && word > 0);
      const check = at < 0 ? undefined : this.#checks[chunk * CHECKS + at / WORDS];
      if (!check) continue;
      for (const each of this.#found) program.reset(each);
      throw check.fail(`Run ${run}: '${check.label}' ${formatShape(check.shape)}`, new DataView(found, 4 * at));
    }
  }
}
