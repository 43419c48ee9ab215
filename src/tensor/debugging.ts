import { variantName } from '../gpu/autotune';
import type { DeviceTraits } from '../gpu/deviceTraits';
import type { DebugTool } from '../gpu/gpuEngine';
import type { Program } from '../gpu/program';
import type { Recording } from '../gpu/recording';
import type { Storage } from '../gpu/storage';
import { NumberChecks } from './numberChecks';
import type { TensorDispatch } from './recorder';
import type { DType, Tensor } from './tensor';

/** What records kernels by the traits of a device. */
export type ByTraits = (traits: DeviceTraits) => void;

/** Where dispatches of a program that is debugged go. */
export interface DebugTarget {
  readonly recording: Recording;
  readonly traits: DeviceTraits;
  /** Appends a dispatch, as it is. */
  readonly append: (dispatch: TensorDispatch) => void;
}

/** What looks at programs otherwise than for what is not finite. */
export abstract class ProgramDebugger implements DebugTool {
  abstract readonly looksFor: string;

  /** Begins with a program. */
  abstract begin(target: DebugTarget): Debugging;
}

/** A program that is debugged: each dispatch is followed by a look for what is not finite in what it wrote. */
export class Debugging {
  protected readonly checks: NumberChecks;

  constructor(protected readonly target: DebugTarget) {
    this.checks = new NumberChecks(target.recording);
  }

  /** Appends a dispatch, and looks at what it wrote. */
  dispatch(dispatch: TensorDispatch): void {
    const writer = this.append([dispatch]);
    for (const tensor of this.writtenBy([dispatch])) this.look(tensor, `which ${writer} wrote`);
  }

  /** Looks at what a tensor holds now. */
  look(tensor: Tensor<DType>, writer: string): void {
    const look = this.checks.finite(tensor, writer);
    if (look) this.target.append(look);
  }

  /** Appends what `record` records by the traits of the device. @param _operation names it in messages */
  byTraits(_operation: string, record: ByTraits): void {
    record(this.target.traits);
  }

  /** What dispatches write, each memory once. */
  protected writtenBy(dispatches: readonly TensorDispatch[]): readonly Tensor<DType>[] {
    const { engine } = this.target.recording;
    const written = new Map<Storage, Tensor<DType>>();
    for (const { kernel, params = {}, bindings } of dispatches) {
      for (const { name, access } of engine.kernel(kernel, params).specialized.bindings) {
        const tensor = bindings[name];
        if (access === 'read_write' && tensor && !written.has(tensor.storage)) written.set(tensor.storage, tensor);
      }
    }
    return [...written.values()];
  }

  /** @returns the kernels, of which measurement may have chosen some, as messages name them */
  protected append(dispatches: readonly TensorDispatch[]): string {
    const { recording, append } = this.target;
    const before = recording.dispatches.length;
    for (const dispatch of dispatches) append(dispatch);
    return [...new Set(recording.dispatches.slice(before).map(variantName))].join(' and ');
  }

  /** @throws EngineError as `NumberChecks.assertRight` */
  async assertRight(run: number, program: Program): Promise<void> {
    await this.checks.assertRight(run, program);
  }
}
