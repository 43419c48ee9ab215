import { formatNumber, formatRate, formatSetting } from '../../files/format';
import { runningMean, type CurveName, type Curves, type ScorePoint } from '../../files/metrics';
import type { ReportPhase } from '../../files/report';
import { chart, type ChartLine, type ChartSettings } from '../components/chart';
import { element } from '../components/dom';
import { BASELINES, BRANCHES, neededScore } from './verdict';

type OnZoom = NonNullable<ChartSettings['onZoom']>;

const STEPS = 'steps done';
const THIN_DASH = [2, 3];
const MANY_POINTS = 60;
/** A running mean reaches over such a part of a curve to each side. */
const TREND_SHARE = 40;

const PARTS: readonly (Omit<ChartLine, 'values'> & { readonly name: CurveName })[] = [
  { name: 'pixelSubordinate', title: 'pixels, subordinate', colour: '--subordinate' },
  { name: 'pixelDominant', title: 'pixels, dominant', colour: '--dominant' },
  { name: 'distillSubordinate', title: 'distillation, subordinate', colour: '--subordinate', dash: [6, 4] },
  { name: 'distillDominant', title: 'distillation, dominant', colour: '--dominant', dash: [6, 4] },
];

/** The unmixing score and, for each branch, its error and the three baselines over the steps. */
export function scoreCharts(scores: readonly ScorePoint[], onZoom: OnZoom): HTMLElement {
  const x = scores.map(({ step }) => step);
  const shared = { x, xTitle: STEPS, group: 'scores', onZoom };
  const branches = BRANCHES.filter(({ id }) => scores.some((score) => score[id] !== undefined));
  return element(
    'div',
    { class: 'charts' },
    branches.map(({ id, title, colour }) =>
      chart({
        ...shared,
        title: `${title}: errors`,
        unit: 'mean squared error, normalised pixels',
        class: 'half',
        lines: [
          { title: 'to its own image', colour, width: 3, values: scores.map((score) => score[id]?.own ?? null) },
          ...BASELINES.map((baseline) => ({
            ...baseline,
            values: scores.map((score) => score[id]?.[baseline.id] ?? null),
          })),
        ],
        format: (value) => value.toFixed(3),
        logarithmic: true,
        span: [0, 0],
      }),
    ),
    chart({
      ...shared,
      title: 'Score',
      unit: '1 − error ÷ error of the mean image',
      note: 'Above its dotted line, a branch beats all three baselines.',
      class: branches.length > 1 ? 'whole' : 'half',
      lines: branches.flatMap(({ id, title, colour }) => [
        { title: title.toLowerCase(), colour, width: 3, values: scores.map((score) => score[id]?.score ?? null) },
        {
          title: `needed, ${title.toLowerCase()}`,
          colour,
          dash: THIN_DASH,
          width: 1.25,
          values: scores.map((score) => (score[id] ? neededScore(score[id]) : null)),
        },
      ]),
      format: (value) => value.toFixed(2),
      span: [0, 1],
    }),
  );
}

/** The running mean of a curve, where there are so many points that their noise hides their course. */
function trendOf({ values, means }: Curves, name: CurveName): readonly (number | null)[] | undefined {
  const curve = (means ?? values)[name];
  return curve && curve.length >= MANY_POINTS ? runningMean(curve, Math.ceil(curve.length / TREND_SHARE)) : undefined;
}

/** What was logged of a phase: the loss and its parts, learning rate, gradient norm and pace. */
export function phaseCharts({ id, title, curves }: ReportPhase, software: boolean, onZoom: OnZoom): HTMLElement {
  const { steps, values, lines } = curves;
  const parts = PARTS.flatMap(({ name, ...line }) => {
    const curve = values[name];
    return curve ? [{ ...line, values: curve, trend: trendOf(curves, name) }] : [];
  });
  const size = parts.length > 0 ? 'third' : 'half';
  const shared = { x: steps, xTitle: STEPS, group: id, onZoom };
  const one = (
    name: CurveName,
    { line, ...settings }: Omit<ChartSettings, keyof typeof shared | 'lines'> & { line: string },
  ) => {
    const curve = values[name];
    if (!curve) return undefined;
    // The learning rate is no measurement.
    const trend = name === 'lr' ? undefined : trendOf(curves, name);
    return chart({ ...shared, ...settings, lines: [{ title: line, colour: '--ink', values: curve, trend }] });
  };
  const charts = [
    one('loss', {
      title: 'Loss',
      unit: parts.length > 0 ? 'what is minimised' : 'mean squared error of hidden patches',
      line: parts.length > 0 ? 'pixels + λ · distillation' : 'pixels',
      format: formatNumber,
      class: 'half',
      logarithmic: true,
    }),
    parts.length > 0
      ? chart({
          ...shared,
          title: 'Parts of the loss',
          unit: 'mean squared errors, before λ',
          lines: parts,
          format: formatNumber,
          class: 'half',
          logarithmic: true,
        })
      : undefined,
    one('lr', {
      title: 'Learning rate',
      unit: 'warm-up, then cosine',
      line: 'learning rate',
      format: formatSetting,
      class: size,
    }),
    one('gradNorm', {
      title: 'Gradient norm',
      unit: 'before clipping',
      line: 'norm of the whole gradient',
      format: formatNumber,
      class: size,
      logarithmic: true,
    }),
    one('imagesPerSecond', {
      title: 'Pace',
      unit: 'images/s',
      line: 'images a second',
      format: formatRate,
      class: size,
      note: software ? 'Measured on a software adapter: no result of this project.' : undefined,
      span: [0, 0],
    }),
  ].filter((made) => made !== undefined);
  return element(
    'section',
    { 'aria-label': title },
    element('h3', {}, title),
    element('div', { class: 'charts' }, charts),
    trendOf(curves, 'loss')
      ? element('p', { class: 'note' }, 'Faint lines: as logged. Strong lines: their running means.')
      : undefined,
    lines > steps.length
      ? element(
          'p',
          { class: 'note' },
          `${lines.toLocaleString('en')} logged steps, drawn as ${steps.length.toLocaleString('en')} points: the smallest ` +
            'and the largest value of each stretch. metrics.jsonl has them all.',
        )
      : undefined,
  );
}
