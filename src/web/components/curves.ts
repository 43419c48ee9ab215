import { formatNumber, formatRate, formatSetting, formatShare } from '../../common/format';
import { runningMean, type CurveName, type Curves, type ScorePoint } from '../../report/metrics';
import { chart, type Chart } from './chart';
import type { ChartContent, ChartLine, ChartSettings } from './chartSettings';
import { element } from './dom';
import { BASELINES, BRANCHES, neededScore } from './verdict';

type OnZoom = ChartSettings['onZoom'];

/** Charts that go together, and can be given newer values of what they show. */
export interface Charts<T> {
  readonly element: HTMLElement;
  /** @param shown with the same curves as before, longer */
  update(shown: T): void;
}

/** What the charts of a phase need to know of it. */
export interface ChartedPhase {
  readonly id: string;
  readonly title: string;
  readonly curves: Curves;
}

const STEPS = 'steps done';
const NO_RESULT = 'Measured on a software adapter: no result of this project.';
const THIN_DASH = [2, 3];
const MANY_POINTS = 60;
/** A running mean reaches over such a part of a curve to each side. */
const TREND_SHARE = 40;

const PARTS: readonly (Omit<ChartLine, 'values'> & { readonly name: CurveName })[] = [
  { name: 'align', title: 'alignment of both masks', colour: '--subordinate' },
  { name: 'centre', title: 'error of their mean', colour: '--dominant' },
  { name: 'pixelSubordinate', title: 'pixels, subordinate', colour: '--subordinate' },
  { name: 'pixelDominant', title: 'pixels, dominant', colour: '--dominant' },
  { name: 'distillSubordinate', title: 'distillation, subordinate', colour: '--subordinate', dash: [6, 4] },
  { name: 'distillDominant', title: 'distillation, dominant', colour: '--dominant', dash: [6, 4] },
];

/** A chart, and what it shows of the values that all charts of a group are made from. */
interface Shown<T> {
  readonly settings: Omit<ChartSettings, 'x' | 'lines' | 'xTitle' | 'group' | 'onZoom'>;
  readonly lines: (values: T) => readonly ChartLine[];
}

/** A share at an axis: `25 %`. */
const percentTick = (share: number): string => `${Number((100 * share).toFixed(2))} %`;

function makeCharts<T>(
  first: T,
  steps: (values: T) => readonly number[],
  shown: readonly Shown<T>[],
  shared: Pick<ChartSettings, 'group' | 'onZoom'>,
): Charts<T> {
  const content = (values: T, lines: Shown<T>['lines']): ChartContent => ({ x: steps(values), lines: lines(values) });
  const made: (readonly [Chart, Shown<T>['lines']])[] = shown.map(({ settings, lines }) => [
    chart({ ...settings, ...shared, xTitle: STEPS, ...content(first, lines) }),
    lines,
  ]);
  return {
    element: element(
      'div',
      { class: 'charts' },
      made.map(([each]) => each.element),
    ),
    update: (values) => {
      for (const [each, lines] of made) each.update(content(values, lines));
    },
  };
}

/** The unmixing score and, for each branch, its error and the three baselines over the steps. */
export function scoreCharts(first: readonly ScorePoint[], onZoom?: OnZoom): Charts<readonly ScorePoint[]> {
  const branches = BRANCHES.filter(({ id }) => first.some((score) => score[id] !== undefined));
  const errors = branches.map(({ id, title, colour }): Shown<readonly ScorePoint[]> => ({
    settings: {
      title: `${title}: errors`,
      unit: 'mean squared error, normalised pixels',
      class: 'half',
      format: (value) => value.toFixed(3),
      logarithmic: true,
      span: [0, 0],
    },
    lines: (scores) => [
      { title: 'to its own image', colour, width: 3, values: scores.map((score) => score[id]?.own ?? null) },
      ...BASELINES.map((baseline) => ({
        ...baseline,
        values: scores.map((score) => score[id]?.[baseline.id] ?? null),
      })),
    ],
  }));
  const score: Shown<readonly ScorePoint[]> = {
    settings: {
      title: 'Score',
      unit: '1 − error ÷ error of the mean image',
      note: 'Above its dotted line, a branch beats all three baselines.',
      class: branches.length > 1 ? 'whole' : 'half',
      format: (value) => value.toFixed(2),
      span: [0, 1],
    },
    lines: (scores) =>
      branches.flatMap(({ id, title, colour }) => [
        { title: title.toLowerCase(), colour, width: 3, values: scores.map((each) => each[id]?.score ?? null) },
        {
          title: `needed, ${title.toLowerCase()}`,
          colour,
          dash: THIN_DASH,
          width: 1.25,
          values: scores.map((each) => (each[id] ? neededScore(each[id]) : null)),
        },
      ]),
  };
  return makeCharts(first, (scores) => scores.map(({ step }) => step), [...errors, score], {
    group: 'scores',
    ...(onZoom ? { onZoom } : {}),
  });
}

/** The running mean of a curve, where there are so many points that their noise hides their course. */
function trendOf({ values, means }: Curves, name: CurveName): readonly (number | null)[] | undefined {
  const curve = (means ?? values)[name];
  return curve && curve.length >= MANY_POINTS ? runningMean(curve, Math.ceil(curve.length / TREND_SHARE)) : undefined;
}

/** Charts in whole rows: halves, and where one would be left alone, thirds at the end. @param parted whether the loss has a chart of its parts beside it */
function sizesInRows(parted: boolean, { values }: Curves): (name: CurveName) => 'half' | 'third' {
  const others = (['lr', 'gradNorm', 'imagesPerSecond', 'sameClass', 'waiting'] as const).filter(
    (name) => values[name],
  );
  const isEven = (others.length + (parted ? 2 : 1)) % 2 === 0;
  const thirds: readonly CurveName[] = isEven ? [] : others.slice(-3);
  return (name) => (thirds.includes(name) ? 'third' : 'half');
}

/** A chart of one curve, whose line is named `line`; undefined where there is no such curve. */
function curveChart(
  { values }: Curves,
  name: CurveName,
  { line, ...settings }: Shown<Curves>['settings'] & { readonly line: string },
): Shown<Curves> | undefined {
  if (!values[name]) return undefined;
  return {
    settings,
    // The learning rate is no measurement.
    lines: (now) => [
      {
        title: line,
        colour: '--ink',
        values: now.values[name] ?? [],
        trend: name === 'lr' ? undefined : trendOf(now, name),
      },
    ],
  };
}

/** The loss, and beside it what it is made of. */
function lossCharts(curves: Curves, parts: typeof PARTS): (Shown<Curves> | undefined)[] {
  const aligned = curves.values.align !== undefined;
  const loss = curveChart(curves, 'loss', {
    title: 'Loss',
    unit: parts.length > 0 ? 'what is minimised' : 'mean squared error of hidden patches',
    line: aligned ? 'pixels + μ · alignment' : parts.length > 0 ? 'pixels + λ · distillation' : 'pixels',
    format: formatNumber,
    class: 'half',
    logarithmic: true,
  });
  if (parts.length === 0) return [loss];
  const madeOf: Shown<Curves> = {
    settings: {
      title: aligned ? 'What the error is made of' : 'Parts of the loss',
      unit: aligned ? 'mean squares, patches that both masks hide' : 'mean squared errors, before λ',
      format: formatNumber,
      class: 'half',
      logarithmic: true,
    },
    lines: (now) =>
      parts.map(({ name, ...line }) => ({ ...line, values: now.values[name] ?? [], trend: trendOf(now, name) })),
  };
  return [loss, madeOf];
}

/** What was logged beside the loss, in charts of the sizes that `sizeOf` says. */
function courseCharts(
  curves: Curves,
  sizeOf: ReturnType<typeof sizesInRows>,
  software: boolean,
): (Shown<Curves> | undefined)[] {
  return [
    curveChart(curves, 'lr', {
      title: 'Learning rate',
      unit: 'up, then down',
      line: 'learning rate',
      format: formatSetting,
      class: sizeOf('lr'),
    }),
    curveChart(curves, 'gradNorm', {
      title: 'Gradient norm',
      unit: 'before clipping',
      line: 'norm of the whole gradient',
      format: formatNumber,
      class: sizeOf('gradNorm'),
      logarithmic: true,
    }),
    curveChart(curves, 'imagesPerSecond', {
      title: 'Pace',
      unit: 'images/s',
      line: 'images a second',
      format: formatRate,
      class: sizeOf('imagesPerSecond'),
      note: software ? NO_RESULT : undefined,
      span: [0, 0],
    }),
    curveChart(curves, 'sameClass', {
      title: 'Pairs of one class',
      unit: 'share of the logged batches',
      line: 'both images of one class',
      format: formatShare,
      tick: percentTick,
      class: sizeOf('sameClass'),
      span: [0, 1],
    }),
    curveChart(curves, 'waiting', {
      title: 'Waiting for images',
      unit: 'share of the time',
      line: 'the GPU waits for images',
      format: formatShare,
      tick: percentTick,
      class: sizeOf('waiting'),
      note: software ? NO_RESULT : undefined,
      span: [0, 1],
    }),
  ];
}

/** What was logged of a phase: the loss and its parts, learning rate, gradient norm and pace. */
export function phaseCharts({ id, title, curves }: ChartedPhase, software: boolean, onZoom?: OnZoom): Charts<Curves> {
  const parts = PARTS.filter(({ name }) => curves.values[name]);
  const sizeOf = sizesInRows(parts.length > 0, curves);
  const shown = [...lossCharts(curves, parts), ...courseCharts(curves, sizeOf, software)].filter(
    (made) => made !== undefined,
  );
  const charts = makeCharts(curves, ({ steps }) => steps, shown, { group: id, ...(onZoom ? { onZoom } : {}) });
  const notes = element('div', {}, notesOn(curves));
  return {
    element: element('section', { 'aria-label': title }, element('h3', {}, title), charts.element, notes),
    update: (now) => {
      charts.update(now);
      notes.replaceChildren(...notesOn(now));
    },
  };
}

/** How the curves are drawn. */
function notesOn(curves: Curves): HTMLElement[] {
  const { steps, lines } = curves;
  const note = (text: string): HTMLElement => element('p', { class: 'note' }, text);
  const smooth = trendOf(curves, 'loss') ? [note('Faint lines: as logged. Strong lines: their running means.')] : [];
  if (lines <= steps.length) return smooth;
  const thinned = note(
    `${lines.toLocaleString('en')} logged steps, drawn as ${steps.length.toLocaleString('en')} points: the smallest ` +
      'and the largest value of each stretch. metrics.jsonl has them all.',
  );
  return [...smooth, thinned];
}
