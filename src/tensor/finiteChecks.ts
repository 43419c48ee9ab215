import source from '../../shaders/nonFinite.wgsl';
import type { GpuEngine } from '../gpu/gpuEngine';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { TensorDispatch } from './recorder';
import { formatShape, type Shape } from './shape';
import { createTensor, disposeTensor, readTensor, type DType, type LastingTensor, type Tensor } from './tensor';

const kernels = kernelsOf('nonFinite', source, ['nonFinite']);

/** Tensors of a program that are looked at: those after these are not. */
const MAX_CHECKS = 2 ** 16;

/** A tensor as it is looked at. */
interface Check {
  readonly label: string;
  readonly shape: Shape;
  /** What wrote it, as messages say it. */
  readonly writer: string;
}

/** Looks at every number that a program writes, as soon as it is written: which is the first that is not finite? */
export class FiniteChecks {
  private readonly checks: Check[] = [];
  /** How many numbers of each tensor that is looked at are not finite, over all runs. */
  readonly found: LastingTensor<'u32'>;

  constructor(private readonly engine: GpuEngine) {
    this.found = createTensor(engine, 'non-finite numbers', [MAX_CHECKS], 'u32');
  }

  /** The dispatch that looks at a tensor; undefined where it holds whole numbers. */
  look(tensor: Tensor<DType>, writer: string): TensorDispatch | undefined {
    const { label, shape, dtype, size } = tensor;
    if ((dtype !== 'f32' && dtype !== 'f16') || this.checks.length === MAX_CHECKS || size === 0) return undefined;
    const at = this.checks.push({ label, shape, writer }) - 1;
    return {
      kernel: kernels.nonFinite,
      params: { HALF: dtype === 'f16' },
      uniforms: { count: size, at },
      bindings: { x: tensor, found: this.found },
      workgroups: workgroupRow(Math.ceil((dtype === 'f16' ? size / 2 : size) / 64)),
    };
  }

  /**
   * @param run the number of the run, from 1
   * @throws EngineError `not-finite`: the first tensor of the latest run that has an infinity or NaN in it
   */
  async assertFinite(run: number): Promise<void> {
    const found = await readTensor(this.engine, this.found);
    const first = found.findIndex((count) => count > 0);
    const check = this.checks[first];
    if (!check) return;
    this.engine.write(this.found.storage, new Uint32Array(MAX_CHECKS));
    const { label, shape, writer } = check;
    throw new EngineError(
      'not-finite',
      `Run ${run}: '${label}' ${formatShape(shape)}, ${writer}, is the first tensor with a number that is not finite: ` +
        `${found[first] ?? 0} of them.`,
      'Look at what it is made of: the tensors before it are finite.',
    );
  }

  /** Gives its buffers back. */
  dispose(): void {
    disposeTensor(this.engine, this.found);
  }
}
