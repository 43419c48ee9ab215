/** The mean of latents at each place of the image and of the class token: what is best said without looking. */
export class PerPositionMean {
  private readonly sums: Float64Array;
  private readonly counts: Float64Array;

  /**
   * @param places of the image; the class token is one more
   * @param width of a latent
   */
  constructor(
    places: number,
    private readonly width: number,
  ) {
    this.sums = new Float64Array((1 + places) * width);
    this.counts = new Float64Array(1 + places);
  }

  /**
   * @param latents [n, tokens, width], the class token first
   * @param orders of each sample's patches; the first `tokens − 1` are visible
   */
  add(latents: Float32Array, orders: readonly Uint32Array[], tokens: number): void {
    const { width, sums, counts } = this;
    this.eachToken(orders, tokens, (place, token) => {
      counts[place] = (counts[place] as number) + 1;
      for (let i = 0; i < width; i++)
        sums[place * width + i] = (sums[place * width + i] as number) + (latents[token * width + i] as number);
    });
  }

  /** Squared distance of each token from the mean at its place; of a place that was never seen, from that of all places. */
  squaredErrors(
    latents: Float32Array,
    orders: readonly Uint32Array[],
    tokens: number,
  ): { readonly patches: Float64Array; readonly class: Float64Array } {
    const { width } = this;
    const means = this.means();
    const errors = { patches: new Float64Array(orders.length * (tokens - 1)), class: new Float64Array(orders.length) };
    this.eachToken(orders, tokens, (place, token) => {
      let sum = 0;
      for (let i = 0; i < width; i++) {
        const error = (latents[token * width + i] as number) - (means[place * width + i] as number);
        sum += error * error;
      }
      const sample = Math.floor(token / tokens);
      if (place === 0) errors.class[sample] = sum;
      else errors.patches[sample * (tokens - 1) + (token % tokens) - 1] = sum;
    });
    return errors;
  }

  private means(): Float64Array {
    const { width, sums, counts } = this;
    const overall = new Float64Array(width);
    const seen = counts.subarray(1).reduce((sum, count) => sum + count, 0);
    for (let at = width; at < sums.length; at++)
      overall[at % width] = (overall[at % width] as number) + (sums[at] as number) / seen;
    return sums.map((sum, at) => {
      const count = counts[Math.floor(at / width)] as number;
      return count > 0 ? sum / count : (overall[at % width] as number);
    });
  }

  /** Calls with the place of each token, 0 for the class token, and its row. */
  private eachToken(
    orders: readonly Uint32Array[],
    tokens: number,
    call: (place: number, token: number) => void,
  ): void {
    for (const [sample, order] of orders.entries()) {
      call(0, sample * tokens);
      for (let k = 1; k < tokens; k++) call(1 + (order[k - 1] as number), sample * tokens + k);
    }
  }
}
