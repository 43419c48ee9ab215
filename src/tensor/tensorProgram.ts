import { EngineError } from '../gpu/errors';
import type { GpuEngine } from '../gpu/gpuEngine';
import { lendBuffer, type BufferPlace } from '../gpu/lentBuffer';
import type { Pictures, PictureSize, PictureSource } from '../gpu/pictures';
import type { Program, TimedDispatch } from '../gpu/program';
import { Slice, Value } from '../gpu/storage';
import type { Debugging } from './debugging';
import { storedBytes, typedArray, type ArrayOf, type DType, type HostData, type Tensor } from './tensor';

/** A compiled graph. */
export class TensorProgram {
  readonly #engine: GpuEngine;
  readonly #program: Program;
  readonly #debugging: Debugging | undefined;

  constructor(engine: GpuEngine, program: Program, debugging?: Debugging) {
    this.#engine = engine;
    this.#program = program;
    this.#debugging = debugging;
  }

  get statistics(): Program['statistics'] {
    return this.#program.statistics;
  }

  get hostTimes(): Program['hostTimes'] {
    return this.#program.hostTimes;
  }

  /** Sets an input's elements from the next run on. */
  write(input: Tensor<DType>, data: HostData): void {
    this.#program.write(this.#inputValue(input), storedBytes(input.label, input.shape, input.dtype, data));
  }

  #inputValue({ storage, label }: Tensor<DType>): Value {
    if (storage instanceof Value) return storage;
    throw new EngineError('bad-program', `'${label}' is no input of a program.`, 'Declare it with input().');
  }

  /** Checks that an input can be read from a buffer of the app's: see `lendBuffer`. @returns lets it be read there */
  lending(input: Tensor<DType>, place: BufferPlace): () => void {
    return lendBuffer(this.#program, this.#inputValue(input), place);
  }

  /** Checks that an input can be what a picture shows: see `Pictures`. @returns lets it be so in the next run */
  showing(
    input: Tensor<DType>,
    pictures: Pictures,
    size: PictureSize,
    picture: GPUTexture | PictureSource,
  ): () => void {
    const value = this.#inputValue(input);
    return 'createView' in picture
      ? pictures.readTexture(this.#program, value, size, picture)
      : pictures.readSource(this.#program, value, size, picture);
  }

  /** The buffer of a declared output's own: see `Program.bufferOf`. */
  bufferOf({ storage, label }: Tensor<DType>): GPUBuffer {
    if (storage instanceof Value) return this.#program.bufferOf(storage);
    throw new EngineError(
      'bad-program',
      `'${label}' shares a buffer with others.`,
      'Return what an operation makes of it.',
    );
  }

  /** Submits one run. */
  run(): void {
    this.#program.run();
  }

  /** Writes one run into commands of the app's: see `Program.encode`. */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder): void {
    this.#program.encode(target);
  }

  /** One run, timed, in seconds: see `Program.runTimed`. */
  runTimed(): Promise<number> {
    return this.#program.runTimed();
  }

  /** One run in which each dispatch is timed by itself: see `Program.profile`. */
  profile(): Promise<readonly TimedDispatch[]> {
    return this.#program.profile();
  }

  /** Reads a declared output of the latest run, or a lasting tensor. */
  async read<D extends DType>(tensor: Tensor<D>): Promise<ArrayOf[D]> {
    const { storage } = tensor;
    const bytes = await (storage instanceof Slice ? this.#engine.read(storage) : this.#program.read(storage));
    return typedArray(tensor.dtype, bytes, tensor.size);
  }

  /** Whether its numbers are looked at: see `GraphOptions.debug`. */
  get isDebugged(): boolean {
    return this.#debugging !== undefined;
  }

  /** Where it is debugged: throws what the latest run made that is wrong. @throws EngineError `not-finite`, `wrong-kernel` */
  async assertRight(run: number): Promise<void> {
    await this.#debugging?.assertRight(run, this.#program);
  }

  /** Gives its memory back. */
  dispose(): void {
    this.#program.dispose();
  }
}
