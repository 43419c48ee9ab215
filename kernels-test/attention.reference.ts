import { zeros, type Reference, type References } from './allclose';

export type Inputs = { qkv: Reference };

export interface Case {
  readonly b: number;
  readonly n: number;
  readonly heads: number;
  readonly d: number;
  /** [B, N], 1 where a key may be attended to. */
  readonly keyMask?: Uint32Array;
  /** [B or 1, H or 1, N, N] */
  readonly bias?: Reference;
}

/** Where a head's row begins: part 0 is the query, 1 the key, 2 the value. */
function rowOf({ n, heads, d }: Case, b: number, token: number, part: number, h: number): number {
  return (((b * n + token) * 3 + part) * heads + h) * d;
}

function dot(a: Float64Array, at: number, b: Float64Array, bAt: number, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += (a[at + i] as number) * (b[bAt + i] as number);
  return sum;
}

/** Calls `visit` with each query row's probabilities and log-sum-exp, both undefined where it may attend to no key. */
function eachRow(
  test: Case,
  { data }: Reference,
  visit: (b: number, h: number, q: number, probabilities: readonly number[], lse: number) => void,
): void {
  const { b: batch, n, heads, d, keyMask, bias } = test;
  const [biasBatch = 1, biasHeads = 1] = bias?.shape ?? [];
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let q = 0; q < n; q++) {
        const scores = Array.from({ length: n }, (_, k) => {
          if (keyMask?.[b * n + k] === 0) return -Infinity;
          const product = dot(data, rowOf(test, b, q, 0, h), data, rowOf(test, b, k, 1, h), d) / Math.sqrt(d);
          const matrix = (biasBatch > 1 ? b : 0) * biasHeads + (biasHeads > 1 ? h : 0);
          return product + (bias?.data[(matrix * n + q) * n + k] ?? 0);
        });
        const largest = Math.max(...scores);
        const open = largest > -Infinity;
        const lse = open ? largest + Math.log(scores.reduce((sum, s) => sum + Math.exp(s - largest), 0)) : NaN;
        visit(
          b,
          h,
          q,
          scores.map((s) => (open ? Math.exp(s - lse) : 0)),
          lse,
        );
      }
    }
  }
}

/** out [B, N, H·d], and lse [B, H, N], which is NaN where a row may attend to nothing. */
export function forward(test: Case, { qkv }: Inputs): { out: Reference; lse: Reference } {
  const { b: batch, n, heads, d } = test;
  const out = zeros([batch, n, heads * d]);
  const lse = zeros([batch, heads, n]);
  eachRow(test, qkv, (b, h, q, probabilities, rowLse) => {
    lse.data[(b * heads + h) * n + q] = rowLse;
    const at = ((b * n + q) * heads + h) * d;
    probabilities.forEach((p, k) => {
      const value = rowOf(test, b, k, 2, h);
      for (let i = 0; i < d; i++) out.data[at + i] = (out.data[at + i] as number) + p * (qkv.data[value + i] as number);
    });
  });
  return { out, lse };
}

export function backward(test: Case, inputs: Inputs, { out: dOut }: References): Inputs {
  const { data } = inputs.qkv;
  const { n, heads, d } = test;
  const { out } = forward(test, inputs);
  const dqkv = zeros(inputs.qkv.shape);
  const upstream = dOut?.data ?? new Float64Array(out.data.length);
  const add = (to: number, factor: number, values: Float64Array, at: number): void => {
    for (let i = 0; i < d; i++) dqkv.data[to + i] = (dqkv.data[to + i] as number) + factor * (values[at + i] as number);
  };
  eachRow(test, inputs.qkv, (b, h, q, probabilities) => {
    const at = ((b * n + q) * heads + h) * d;
    const query = rowOf(test, b, q, 0, h);
    const delta = dot(upstream, at, out.data, at, d);
    probabilities.forEach((p, k) => {
      const key = rowOf(test, b, k, 1, h);
      const value = rowOf(test, b, k, 2, h);
      const ds = (p * (dot(upstream, at, data, value, d) - delta)) / Math.sqrt(d);
      add(query, ds, data, key);
      add(key, ds, data, query);
      add(value, p, upstream, at);
    });
  });
  return { qkv: dqkv };
}
