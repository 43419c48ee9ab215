import { exactExp } from '../../tensor/exactMath';

/**
 * softmax(q·Kᵀ/√d) of one query of one head, in float64: a row of what `attention` multiplies the values with.
 *
 * @param qkv [n, 3·heads·d], packed as `attention` takes it
 */
export function attentionRow(qkv: Float32Array, n: number, heads: number, head: number, query: number): Float64Array {
  const width = qkv.length / n;
  const d = width / (3 * heads);
  const q = query * width + head * d;
  const scores = Float64Array.from({ length: n }, (_, key) => {
    const k = key * width + (heads + head) * d;
    let dot = 0;
    for (let i = 0; i < d; i++) dot += (qkv[q + i] as number) * (qkv[k + i] as number);
    return dot / Math.sqrt(d);
  });
  const largest = Math.max(...scores);
  const weights = scores.map((score) => exactExp(score - largest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
