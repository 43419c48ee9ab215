import { formatNumber, formatRate, formatSetting } from '../../files/format';
import type { CurveName, ScorePoint } from '../../files/metrics';
import type { ReportPhase } from '../../files/report';
import { chart, type ChartLine, type ChartSettings } from '../components/chart';
import { element } from '../components/dom';
import { BASELINES, BRANCHES, neededScore } from './verdict';

type OnZoom = NonNullable<ChartSettings['onZoom']>;

const STEPS = 'steps done';
const THIN_DASH = [2, 3];

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
          { title: 'own image', colour, width: 3, values: scores.map((score) => score[id]?.own ?? null) },
          ...BASELINES.map((baseline) => ({ ...baseline, values: scores.map((score) => score[id]?.[baseline.id] ?? null) })),
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

/** What was logged of a phase: the loss and its parts, learning rate, gradient norm and pace. */
export function phaseCharts({ id, title, curves }: ReportPhase, software: boolean, onZoom: OnZoom): HTMLElement {
  const { steps, values, lines } = curves;
  const parts = PARTS.flatMap(({ name, ...line }) => (values[name] ? [{ ...line, values: values[name] }] : []));
  const size = parts.length > 0 ? 'third' : 'half';
  const one = (name: CurveName, of: Pick<ChartSettings, 'title' | 'unit' | 'format' | 'class'> & Partial<ChartSettings> & { line: string }) =>
    values[name]
      ? chart({ x: steps, xTitle: STEPS, group: id, onZoom, lines: [{ title: of.line, colour: '--ink', values: values[name] }], ...of })
      : undefined;
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
          x: steps,
          xTitle: STEPS,
          group: id,
          onZoom,
          title: 'Parts of the loss',
          unit: 'mean squared errors, before λ',
          lines: parts,
          format: formatNumber,
          class: 'half',
          logarithmic: true,
        })
      : undefined,
    one('lr', { title: 'Learning rate', unit: 'a step', line: 'learning rate', format: formatSetting, class: size }),
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
