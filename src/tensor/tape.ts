import { EngineError } from '../gpu/errors';
import type { Storage } from '../gpu/storage';
import { addInPlace } from './accumulate';
import { Parameter } from './parameter';
import type { Recorder } from './recorder';
import type { Tensor } from './tensor';

/** Where an operation's backward puts gradients. */
export interface Gradients {
  /** The gradient of an output of the operation; undefined where none arrived. */
  readonly of: (output: Tensor) => Tensor | undefined;
  /**
   * Where the gradient of an input goes: write to `out`, or add to it where `accumulate` is set. Undefined where the
   * input needs none.
   */
  readonly into: (input: Tensor) => { readonly out: Tensor; readonly accumulate: boolean } | undefined;
  /**
   * The gradient of `input` is `gradient` itself, or one more part of it. To be called last: from here on `gradient` may
   * be added to in place.
   */
  readonly pass: (input: Tensor, gradient: Tensor) => void;
}

/** Appends what computes the gradients of an operation. */
export type Backward = (gradients: Gradients) => void;

/** An operation on the tape. */
interface Entry {
  readonly name: string;
  readonly outputs: readonly Tensor[];
  readonly backward: Backward;
}

/** The gradient of a tensor. */
interface Gradient {
  tensor: Tensor;
  /** Others hold the same memory: copy it before adding to it. */
  shared: boolean;
}

/** What was done, in order, and its reversal. Gradients belong to memory: tensors that share memory share theirs. */
export class Tape {
  readonly #entries: Entry[] = [];
  readonly #gradients = new Map<Storage, Gradient>();
  readonly #intermediates = new Set<Storage>();
  /** Intermediates whose entries an earlier walk took: no gradient gets past them any more. */
  readonly #walked = new Set<Storage>();
  /** What was made inside a checkpoint and is made once more on the way back: nothing outside leads back to it. */
  readonly #forgotten = new Set<Storage>();
  /** Checkpoints that are being recorded, one inside another. */
  #open = 0;
  /** What the operation at hand passed on, and to whom first. */
  readonly #handedOn = new Map<Storage, Gradient>();

  readonly #recorder: Recorder;
  readonly #addToParameters: boolean;

  /** @param addToParameters whether the gradient of a parameter is added to what its `grad` holds before */
  constructor(recorder: Recorder, addToParameters = false) {
    this.#recorder = recorder;
    this.#addToParameters = addToParameters;
  }

  /** Appends what computes the gradients of an operation. */
  record(entry: Entry): void {
    this.#entries.push(entry);
    for (const { storage } of entry.outputs) this.#intermediates.add(storage);
  }

  /**
   * Records what `make` does so that nothing of it but its result outlives it: on the way back it is done again, and what
   * that records is walked at once.
   *
   * @param make gives what it made; it is called again in `run`, and must do the same then
   */
  checkpoint(name: string, make: () => Tensor): Tensor {
    const { made: output, entries } = this.#apart(make);
    if (!entries.some(({ outputs }) => outputs.some(({ storage }) => storage === output.storage))) {
      this.#entries.push(...entries); // it takes no gradient, or was there before
      return output;
    }
    for (const { outputs } of entries) for (const { storage } of outputs) this.#forgotten.add(storage);
    this.#forgotten.delete(output.storage);
    this.record({
      name,
      outputs: [output],
      backward: () => {
        const again = this.#apart(make);
        this.#gradients.set(again.made.storage, this.#gradients.get(output.storage) as Gradient);
        this.#walk(again.entries);
      },
    });
    return output;
  }

  /** What `make` makes, and what it recorded, taken off the tape. */
  #apart(make: () => Tensor): { readonly made: Tensor; readonly entries: Entry[] } {
    const before = this.#entries.length;
    this.#open++;
    try {
      return { made: make(), entries: this.#entries.splice(before) };
    } finally {
      this.#open--;
    }
  }

  /** The gradient of a tensor that no operation made; those of intermediates are overwritten on the way back. */
  gradientOf(leaf: Tensor): Tensor {
    const gradient = this.#find(leaf);
    if (gradient && !this.#intermediates.has(leaf.storage)) return gradient;
    throw new EngineError(
      'bad-program',
      gradient ? `'${leaf.label}' is an intermediate: its gradient is not kept.` : `'${leaf.label}' has no gradient.`,
      gradient ? 'Ask for gradients of inputs and parameters.' : 'Give it requiresGrad, and call backward first.',
    );
  }

  /** Whether a gradient has arrived. */
  hasGradient({ storage }: Tensor): boolean {
    return this.#gradients.has(storage);
  }

  #find(tensor: Tensor): Tensor | undefined {
    return this.#gradients.get(tensor.storage)?.tensor.reshape(tensor.shape);
  }

  /**
   * Walks back from `loss`, whose own gradient is `gradient`, over what was recorded since the last walk.
   *
   * @throws EngineError `bad-program` where `loss` depends on nothing that takes gradients, or on an intermediate that
   *   an earlier walk has passed
   */
  run(loss: Tensor, gradient: Tensor): void {
    if (!loss.requiresGrad) {
      throw new EngineError(
        'bad-program',
        `backward: '${loss.label}' depends on nothing that takes gradients.`,
        'Give a parameter or input requiresGrad.',
      );
    }
    if (this.#open > 0) {
      throw new EngineError('bad-program', 'backward: a checkpoint is being recorded.', 'Go back once it is done.');
    }
    this.#assertReachable(loss);
    this.#gradients.set(loss.storage, { tensor: gradient, shared: true });
    this.#walk(this.#entries.splice(0));
  }

  #walk(entries: readonly Entry[]): void {
    try {
      for (const { outputs, backward } of entries.toReversed()) {
        if (!outputs.some((output) => this.#gradients.has(output.storage))) continue;
        this.#handedOn.clear();
        backward({
          of: (output) => this.#find(output),
          into: (input) => this.#into(input),
          pass: (input, passed) => this.#pass(input, passed),
        });
      }
    } finally {
      for (const { outputs } of entries) for (const { storage } of outputs) this.#walked.add(storage);
    }
  }

  #assertReachable({ storage, label }: Tensor): void {
    if (this.#forgotten.has(storage)) {
      throw new EngineError(
        'bad-program',
        `backward: '${label}' was made inside a checkpoint, and is made once more there; its gradient would be lost.`,
        'Let the checkpoint return it, or detach it.',
      );
    }
    if (!this.#walked.has(storage)) return;
    throw new EngineError(
      'bad-program',
      `backward: an earlier backward has already passed '${label}'; its gradient would stop there.`,
      'Add the losses up and go back once, or detach it.',
    );
  }

  #into(input: Tensor): { out: Tensor; accumulate: boolean } | undefined {
    if (!input.requiresGrad) return undefined;
    this.#assertReachable(input);
    const existing = this.#gradients.get(input.storage);
    if (existing) {
      if (existing.shared) {
        const copy = this.#recorder.empty(`d ${input.label}`, input.shape, input.dtype);
        addInPlace(this.#recorder, copy, existing.tensor, false);
        existing.tensor = copy;
        existing.shared = false;
      }
      return { out: existing.tensor.reshape(input.shape), accumulate: true };
    }
    const isParameter = input instanceof Parameter;
    const out = isParameter ? input.grad : this.#recorder.empty(`d ${input.label}`, input.shape, input.dtype);
    this.#gradients.set(input.storage, { tensor: out, shared: false });
    return { out: out.reshape(input.shape), accumulate: isParameter && this.#addToParameters };
  }

  #pass(input: Tensor, passed: Tensor): void {
    if (!input.requiresGrad) return;
    this.#assertReachable(input);
    const existing = this.#gradients.get(input.storage);
    if (existing || input instanceof Parameter || passed.dtype !== input.dtype) {
      // Passed to the same input twice: what it holds is `passed` itself, which can't be added to itself in place.
      if (existing?.tensor.storage === passed.storage) existing.shared = true;
      const target = this.#into(input);
      if (target) addInPlace(this.#recorder, target.out, passed, target.accumulate);
      return;
    }
    // Handed on as it is: the output it belonged to is done with it. A second taker makes it shared.
    const first = this.#handedOn.get(passed.storage);
    if (first) first.shared = true;
    const gradient = { tensor: passed, shared: first !== undefined || this.#isShared(passed) };
    this.#handedOn.set(passed.storage, gradient);
    this.#gradients.set(input.storage, gradient);
  }

  #isShared(passed: Tensor): boolean {
    for (const { tensor, shared } of this.#gradients.values())
      if (shared && tensor.storage === passed.storage) return true;
    return false;
  }
}
