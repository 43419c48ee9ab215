import type { Golden } from './goldens';

/**
 * How near a result must be to PyTorch's.
 *
 * - `bits`: what only moves elements; also the sign of a zero, and denormals.
 * - `exact`: what selects one of few numbers, or rounds once, correctly: WGSL does so for +, − and ×.
 * - `element`: each element by itself, within `relative` of it, `growth` · |ln of it| of it (what is exp(t) is off by as many
 *   last bits as t has units) and `absolute` (where terms of order 1 cancel, or a function goes through 0).
 * - `norm`: ‖found − wanted‖ within 2e-6 of ‖wanted‖, as for every kernel of the house, and four times the noise: how far
 *   PyTorch's own float32 is off where operands are changed in their last bit. Elements that are not finite must be the same.
 */
export type Rule =
  'bits' | 'exact' | 'norm' | { readonly relative: number; readonly absolute?: number; readonly growth?: number };

/** Numbers below it are denormal: WGSL lets a device take them for 0, and give 0 for them. */
const SMALLEST = 2 ** -126;
/** Rounding of a sum of some hundreds of terms: kernels-test/allclose.ts. */
const OF_NORM = 2e-6;
const NOISES = 4;

const kind = (x: number): string => (Number.isFinite(x) ? 'a number' : String(x));

/** What is wrong with `found`, if anything. */
export function difference(found: ArrayLike<number>, golden: Golden, rule: Rule): string | undefined {
  const { data } = golden;
  if (found.length !== data.length) return `${found.length} elements, not ${data.length}`;
  let [distance, norm] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    const is = found[i] as number;
    const wanted = wantedAt(golden, i, is);
    if (kind(is) !== kind(wanted)) return `[${i}] is ${is}, not ${wanted}`;
    if (!Number.isFinite(wanted)) continue;
    distance += (is - wanted) ** 2;
    norm += wanted ** 2;
    if (rule !== 'norm' && !isClose(is, wanted, rule)) return `[${i}] is ${is}, not ${wanted}`;
  }
  if (rule !== 'norm') return undefined;
  [distance, norm] = [Math.sqrt(distance), Math.sqrt(norm)];
  const allowed = OF_NORM * norm + NOISES * golden.noise + data.length * SMALLEST;
  return distance <= allowed ? undefined : `off by ${shown(distance)} of ${shown(norm)}, allowed ${shown(allowed)}`;
}

const shown = (x: number): string => x.toExponential(2);

/** Of two that are right, that which is nearer to what was found. */
function wantedAt({ data, others }: Golden, i: number, is: number): number {
  const wanted = data[i] as number;
  const other = others.get(i);
  if (other === undefined) return wanted;
  if (kind(other) !== kind(wanted)) return kind(other) === kind(is) ? other : wanted;
  return Math.abs(is - other) < Math.abs(is - wanted) ? other : wanted;
}

function isClose(is: number, wanted: number, rule: Exclude<Rule, 'norm'>): boolean {
  if (rule === 'bits') return Object.is(is, wanted);
  const error = Math.abs(is - wanted);
  if (rule === 'exact') return error === 0 || (Math.abs(wanted) < SMALLEST && Math.abs(is) <= SMALLEST);
  const { relative, absolute = 0, growth = 0 } = rule;
  const size = Math.abs(wanted);
  const exponent = growth > 0 && size > 0 ? growth * Math.abs(Math.log(size)) : 0;
  return error <= (relative + exponent) * size + absolute + 2 * SMALLEST;
}
