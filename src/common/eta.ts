/** How fast steps go by, and when they will be done. The first step is left out: it compiles the pipelines. */
export class Eta {
  private first: { readonly time: number; readonly step: number } | undefined;
  private last: { readonly time: number; readonly step: number } | undefined;

  /** @param step steps done now */
  update(step: number): void {
    this.last = { time: performance.now(), step };
    this.first ??= this.last;
  }

  /** Seconds to `total` steps at the pace so far; undefined where there is none yet. */
  secondsLeft(total: number): number | undefined {
    const { first, last } = this;
    if (!first || !last || last.step <= first.step) return undefined;
    const pace = (last.time - first.time) / (last.step - first.step);
    return (pace * (total - last.step)) / 1000;
  }
}
