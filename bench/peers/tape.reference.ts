import { zeros, type Reference, type References } from '../../kernels-test/allclose';

/** Values in float64 and the way back through them: the references of kernels, one after the other. */
export class Tape {
  private readonly steps: (() => void)[] = [];
  private readonly gradients = new Map<Reference, Reference>();

  /** y of a reference's forward; on the way back, the gradients of those inputs that its backward names. */
  apply<I extends References>(
    inputs: I,
    forward: (inputs: I) => { readonly y: Reference },
    backward: (inputs: I, dOutputs: References) => References,
  ): Reference {
    const { y } = forward(inputs);
    this.steps.push(() => {
      const dy = this.gradients.get(y);
      if (!dy) return;
      const found = backward(inputs, { y: dy });
      for (const [name, input] of Object.entries(inputs)) this.add(input, found[name]);
    });
    return y;
  }

  /** y[i] = x[from[i]], as `shape`: reshapes, permutes, stretches and looks up. */
  place(x: Reference, shape: readonly number[], from: readonly number[]): Reference {
    return this.apply(
      { x },
      () => ({ y: { shape, data: Float64Array.from(from, (at) => x.data[at] as number) } }),
      (_, { y }) => {
        const dx = zeros(x.shape);
        from.forEach((at, i) => (dx.data[at] = (dx.data[at] as number) + (y?.data[i] as number)));
        return { x: dx };
      },
    );
  }

  /** The sum of two of one shape. */
  plus(a: Reference, b: Reference): Reference {
    return this.apply(
      { a, b },
      () => ({ y: { shape: a.shape, data: a.data.map((value, i) => value + (b.data[i] as number)) } }),
      (_, { y }) => ({ a: y as Reference, b: y as Reference }),
    );
  }

  /** Goes back from a loss. */
  backward(loss: Reference): void {
    this.add(loss, { shape: loss.shape, data: new Float64Array(loss.data.length).fill(1) });
    for (const step of this.steps.toReversed()) step();
  }

  /** What a value's gradient is; zeros where nothing came back to it. */
  gradientOf(x: Reference): Reference {
    return this.gradients.get(x) ?? zeros(x.shape);
  }

  private add(x: Reference, gradient: Reference | undefined): void {
    if (!gradient) return;
    const before = this.gradients.get(x);
    const data = before ? before.data.map((value, i) => value + (gradient.data[i] as number)) : gradient.data;
    this.gradients.set(x, { shape: x.shape, data });
  }
}
