import { formatNumber, formatSetting } from '../../common/format';
import type { FigureLine, LinesFigure } from '../../report/figures';
import { chart } from '../components/chart';
import type { ChartLine } from '../components/chartSettings';

/** Colours that colour-blind eyes tell apart; of more lines than colours, those of one colour differ by their dashes. */
const COLOURS = ['--subordinate', '--dominant', '--mixture', '--other', '--ink'];
const DASHES: readonly (readonly number[] | undefined)[] = [undefined, [9, 4], [9, 3, 2, 3], [5, 2]];
/** What others are compared with is grey and dashed. */
const REFERENCE_DASHES = [
  [6, 4],
  [2, 3],
  [9, 3, 2, 3],
  [12, 3],
];

/** Lines over an axis, with the intervals around their values as bands. */
export function lines({ title, x, y, lines: drawn }: LinesFigure, group: string): HTMLElement {
  const counts = { line: 0, reference: 0 };
  return chart({
    title,
    unit: y.title,
    x: x.values,
    xTitle: x.title,
    lines: drawn.map((line) => styled(line, line.reference ? counts.reference++ : counts.line++)),
    format: formatValue,
    group,
    rest: `at ${(x.values.at(-1) ?? 0).toLocaleString('en')}`,
    ...(y.logarithmic ? { logarithmic: 'first' as const } : {}),
    ...(x.logarithmic ? { logarithmicX: true } : {}),
    ...(y.span ? { span: y.span } : {}),
  }).element;
}

function styled({ title, values, low, high, reference }: FigureLine, index: number): ChartLine {
  const interval = low && high ? { interval: { low, high } } : {};
  if (reference) {
    return {
      title,
      values,
      colour: '--mean',
      dash: REFERENCE_DASHES[index % REFERENCE_DASHES.length] ?? [],
      ...interval,
    };
  }
  const dash = DASHES[Math.floor(index / COLOURS.length) % DASHES.length];
  return { title, values, colour: COLOURS[index % COLOURS.length] ?? '--ink', ...(dash ? { dash } : {}), ...interval };
}

/** A value to be read: three digits behind the point where it is of the size of a share. */
export function formatValue(value: number): string {
  if (Number.isInteger(value)) return formatSetting(value);
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 10) return value.toFixed(3);
  return size < 1e4 && size >= 10 ? value.toPrecision(4) : formatNumber(value);
}
