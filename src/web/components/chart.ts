import './language';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatCount, formatSetting } from '../../common/format';
import { element, svg } from './dom';
import { keep, recall } from './memory';
import { colourOf, onThemeChange } from './theme';

/** A line of a chart. Lines of one chart differ by more than their colour: by dashes or width. */
export interface ChartLine {
  readonly title: string;
  readonly values: readonly (number | null)[];
  /** A colour of the stylesheet: `--ink`. */
  readonly colour: string;
  /** In CSS pixels: line, gap, … */
  readonly dash?: readonly number[];
  readonly width?: number;
  /** A smoother course of the values: drawn in their place, and they faintly behind it. */
  readonly trend?: readonly (number | null)[] | undefined;
  /** Ends of the interval around each value: drawn as a band. */
  readonly interval?:
    { readonly low: readonly (number | null)[]; readonly high: readonly (number | null)[] } | undefined;
  /** Something to compare with, which the note tells of: it is not in the legend. */
  readonly reference?: boolean;
}

export interface ChartSettings {
  readonly title: string;
  /** What the values are measured in. */
  readonly unit: string;
  /** One sentence under the chart. */
  readonly note?: string | undefined;
  readonly x: readonly number[];
  readonly xTitle: string;
  readonly lines: readonly ChartLine[];
  /** A value in the legend. */
  readonly format: (value: number) => string;
  /** A value at the axis; as a number by default. */
  readonly tick?: (value: number) => string;
  /** Whether the axis can be made logarithmic, or is so at first. */
  readonly logarithmic?: boolean | 'first';
  readonly logarithmicX?: boolean;
  /** Values that the axis always spans. */
  readonly span?: readonly [number, number];
  /** Charts of one group show their cursors at the same place. */
  readonly group: string;
  /** Whose values the legend shows while there is no cursor, in words: those of the last place of x; "latest" by default. */
  readonly rest?: string;
  /** Called when a part of the chart is enlarged (true) and when all of it is shown again. */
  readonly onZoom?: (zoomed: boolean) => void;
  readonly class?: string;
}

const HEIGHT = 220;
const NEARLY_IN_SIGHT = '200px';
const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const DIGIT_WIDTH = 7;
const LINE_WIDTH = 1.75;
/** What uPlot calls the laws of an axis. */
const LINEAR = 1;
const LOGARITHMIC = 3;
const WHOLE_INCREMENTS = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500]
  .flatMap((n) => [n, n * 1e3, n * 1e6])
  .sort((a, b) => a - b);
/** So many are drawn as points too, and more where each has so much room, in CSS pixels. */
const FEW_POINTS = 20;
const ROOM_OF_POINT = 12;

/** What a chart shows: the lines' values at each place of x. */
export type ChartContent = Pick<ChartSettings, 'x' | 'lines'>;

export interface Chart {
  readonly element: HTMLElement;
  /** Shows other values, as they come: an enlarged part stays enlarged, and the cursor where it is. The lines are those that there were. */
  update(content: ChartContent): void;
  /** Marks a place on the x axis; the legend shows the values there while there is no cursor. */
  mark(at: number): void;
}

/** A line chart as wide as its place, in the colours of the theme; its legend shows the values at the cursor. */
export function chart(settings: ChartSettings): Chart {
  const { title, unit, note, format } = settings;
  let { x, lines }: ChartContent = settings;
  let marked: number | undefined;
  const memory = `logarithmic ${settings.group} ${title}`;
  let logarithmic = Boolean(settings.logarithmic) && recall<boolean>(memory, settings.logarithmic === 'first');
  let plot: uPlot | undefined;

  const place = element('div', {
    class: 'plot',
    tabindex: 0,
    role: 'img',
    onkeydown: (event) => moveCursor(event as KeyboardEvent),
    onblur: () => plot?.setCursor({ left: -10, top: -10 }),
  });
  const at = element('span', { class: 'at' });
  const readings = lines.map(() => element('output', {}));
  const legend = element(
    'ul',
    { class: 'legend' },
    lines.map((line, i) =>
      line.reference ? undefined : element('li', {}, lineSample(line), element('span', {}, line.title), readings[i]),
    ),
  );

  const read = (cursor: number | null | undefined): void => {
    const index = cursor ?? (marked === undefined ? undefined : nearestIndex(x, marked));
    const step = index === undefined ? undefined : x[index];
    at.textContent = step === undefined ? (settings.rest ?? 'latest') : `at ${step.toLocaleString('en')}`;
    for (const [i, { values }] of lines.entries()) {
      const value = step === undefined ? values.findLast((each) => each !== null) : values[index as number];
      (readings[i] as HTMLElement).textContent = value === null || value === undefined ? '–' : format(value);
    }
  };

  const moveCursor = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined || !plot) return;
    event.preventDefault();
    const index = Math.min(x.length - 1, Math.max(0, (plot.cursor.idx ?? (by > 0 ? -1 : x.length)) + by));
    plot.setCursor({ left: plot.valToPos(x[index] ?? 0, 'x'), top: plot.over.clientHeight / 2 });
  };

  const draw = (): void => {
    const width = place.clientWidth;
    if (width === 0) return;
    const shown = plot && enlargedPart(plot);
    plot?.destroy();
    const content = { ...settings, x, lines };
    const made = options(content, logarithmic, width, read);
    plot = new uPlot(
      { ...made, hooks: { ...made.hooks, draw: [(drawn) => marked !== undefined && drawMark(drawn, marked)] } },
      data(content, logarithmic),
      place,
    );
    if (shown) plot.setScale('x', shown);
  };

  const describePlace = (): void => place.setAttribute('aria-label', describe({ ...settings, x, lines }));

  const refresh = (): void => {
    describePlace();
    if (!plot) {
      draw();
    } else {
      const values = data({ x, lines }, logarithmic);
      const shown = enlargedPart(plot);
      if (values.length !== plot.data.length)
        draw(); // trends have come
      else if (shown) {
        plot.setData(values, false);
        plot.setScale('x', shown);
      } else plot.setData(values);
    }
    read(plot?.cursor.idx);
  };

  // What is out of sight is drawn when it comes into it.
  let inSight = false;
  let stale = false;
  new IntersectionObserver(
    (entries) => {
      inSight = entries.at(-1)?.isIntersecting === true;
      if (inSight && stale) {
        stale = false;
        refresh();
      }
    },
    { rootMargin: NEARLY_IN_SIGHT },
  ).observe(place);
  new ResizeObserver(() => {
    if (plot && place.clientWidth > 0) plot.setSize({ width: place.clientWidth, height: HEIGHT });
    else draw();
  }).observe(place);
  onThemeChange(() => plot?.redraw());
  describePlace();
  read(undefined);

  const toggle = element(
    'button',
    {
      type: 'button',
      class: 'quiet',
      'aria-pressed': String(logarithmic),
      title: 'Logarithmic axis',
      onclick: () => {
        logarithmic = !logarithmic;
        keep(memory, logarithmic);
        toggle.setAttribute('aria-pressed', String(logarithmic));
        draw();
      },
    },
    'log',
  );
  const figure = element(
    'figure',
    { class: `card chart ${settings.class ?? ''}` },
    element(
      'figcaption',
      {},
      element('h4', {}, title),
      element('span', { class: 'unit' }, unit),
      settings.logarithmic ? toggle : undefined,
    ),
    element('div', { class: 'frame' }, place, at),
    legend,
    note === undefined ? undefined : element('p', { class: 'note' }, note),
  );
  return {
    element: figure,
    update: (content) => {
      ({ x, lines } = content);
      stale = !inSight;
      if (inSight) refresh();
    },
    mark: (wanted) => {
      marked = wanted;
      plot?.redraw(false);
      read(plot?.cursor.idx);
    },
  };
}

/** The part of the x axis that is shown, where it is not all of it. */
function enlargedPart({ data: [x], scales }: uPlot): { min: number; max: number } | undefined {
  const { min, max } = scales['x'] ?? {};
  const [first, last] = [x[0], x.at(-1)];
  if (min === undefined || max === undefined || first === undefined || last === undefined) return undefined;
  return min > first || max < last ? { min, max } : undefined;
}

function nearestIndex(x: readonly number[], at: number): number {
  let nearest = 0;
  for (const [index, value] of x.entries())
    if (Math.abs(value - at) < Math.abs((x[nearest] ?? 0) - at)) nearest = index;
  return nearest;
}

/** An upright line from the axis to the top. */
function drawMark(plot: uPlot, at: number): void {
  const { ctx, bbox } = plot;
  const left = Math.round(plot.valToPos(at, 'x', true));
  ctx.save();
  ctx.strokeStyle = colourOf('--ink');
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(left, bbox.top);
  ctx.lineTo(left, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

function options(
  { x, xTitle, lines, span, group, onZoom, logarithmicX, tick: tickOf = tickText }: ChartSettings,
  logarithmic: boolean,
  width: number,
  read: (index: number | null | undefined) => void,
): uPlot.Options {
  // First the values of all lines, then the trends over them, then the ends of the intervals around them.
  const trends = lines.filter(({ trend }) => trend !== undefined);
  const banded = lines.filter(({ interval }) => interval !== undefined);
  const firstEnd = 1 + lines.length + trends.length;
  const drawn = [...lines, ...trends];
  const grid = { stroke: () => colourOf('--line'), width: 1 };
  const axis = { stroke: () => colourOf('--muted'), font: FONT, grid, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    padding: [8, 22, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: group },
      drag: { x: true, y: false },
      points: { size: 7, fill: (_, i) => colourOf(drawn[i - 1]?.colour ?? '--ink') },
    },
    scales: {
      x: {
        time: false,
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is in uPlot's types only
        distr: logarithmicX ? LOGARITHMIC : LINEAR,
        range: ({ data: [x] }, low, high) => (x.length === 1 ? [(x[0] ?? 0) - 1, (x[0] ?? 0) + 1] : [low, high]),
      },
      y: {
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum is in uPlot's types only
        distr: logarithmic ? LOGARITHMIC : LINEAR,
        ...(span && !logarithmic
          ? { range: (_, low, high) => uPlot.rangeNum(Math.min(low, span[0]), Math.max(high, span[1]), 0.05, true) }
          : {}),
      },
    },
    axes: [
      {
        ...axis,
        label: xTitle,
        labelFont: FONT,
        labelSize: 18,
        labelGap: 2,
        size: 26,
        gap: 6,
        space: 70,
        // Steps of training have no fractions.
        ...(x.every(Number.isInteger) ? { incrs: WHOLE_INCREMENTS } : {}),
        values: (_, ticks) =>
          ticks.map((tick: number | null) =>
            tick === null ? '' : tick < 1e5 ? tick.toLocaleString('en') : formatCount(tick),
          ),
      },
      {
        ...axis,
        gap: 6,
        space: 34,
        values: (_, ticks) => ticks.map((tick: number | null) => (tick === null ? '' : tickOf(tick))),
        size: (_, texts: string[] | null) =>
          12 + DIGIT_WIDTH * Math.max(2, ...(texts ?? []).map((text) => text.length)),
      },
    ],
    series: [
      {},
      ...lines.map((line) =>
        line.trend ? { ...series(line), stroke: () => faint(line.colour), width: 1 } : series(line),
      ),
      ...trends.map((line) => ({ ...series(line), points: { show: false } })),
      ...banded.flatMap(() => [END_OF_INTERVAL, END_OF_INTERVAL]),
    ],
    bands: banded.map(({ colour }, index) => ({
      series: [firstEnd + 2 * index + 1, firstEnd + 2 * index],
      fill: () => `${colourOf(colour)}26`,
    })),
    hooks: {
      setCursor: [({ cursor }) => read(cursor.idx)],
      setScale: [
        (plot, key) => {
          if (key === 'x') onZoom?.(enlargedPart(plot) !== undefined);
        },
      ],
    },
  };
}

/** Drawn by its band alone. */
const END_OF_INTERVAL: uPlot.Series = { stroke: 'transparent', width: 0, spanGaps: true, points: { show: false } };

function series({ title, colour, dash, width = LINE_WIDTH, reference }: ChartLine): uPlot.Series {
  return {
    label: title,
    stroke: () => colourOf(colour),
    width,
    spanGaps: true,
    points: {
      size: 6,
      fill: () => colourOf('--card'),
      show: (plot, _, from, to) =>
        !reference && (plot.data[0].length <= FEW_POINTS || (to - from) * ROOM_OF_POINT <= plot.over.clientWidth),
    },
    ...(dash ? { dash: [...dash] } : {}),
  };
}

function faint(colour: string): string {
  return `${colourOf(colour)}50`;
}

function tickText(value: number): string {
  return Math.abs(value) >= 1e4 ? formatCount(value) : formatSetting(value);
}

/** A logarithmic axis has no place for what is not above 0. */
function data({ x, lines }: ChartContent, logarithmic: boolean): uPlot.AlignedData {
  const shown = (value: number | null): number | null => (value !== null && value > 0 ? value : null);
  const all = [
    ...lines.map(({ values }) => values),
    ...lines.flatMap(({ trend }) => (trend ? [trend] : [])),
    ...lines.flatMap(({ interval }) => (interval ? [interval.low, interval.high] : [])),
  ];
  return [[...x], ...all.map((values) => (logarithmic ? values.map(shown) : [...values]))];
}

/** A piece of the line, as it is drawn. */
function lineSample({ colour, dash, width = LINE_WIDTH }: Pick<ChartLine, 'colour' | 'dash' | 'width'>): SVGElement {
  return svg(
    'svg',
    { width: 30, height: 8, viewBox: '0 0 30 8', 'aria-hidden': 'true' },
    svg('line', {
      x1: 0,
      y1: 4,
      x2: 30,
      y2: 4,
      style: `stroke: var(${colour})`,
      'stroke-width': width + 0.25,
      'stroke-dasharray': dash?.join(' '),
    }),
  );
}

/** The chart in words, and how it is read by the keyboard. */
function describe({ title, unit, x, xTitle, lines, format }: ChartSettings): string {
  const parts = lines.map(({ title: name, values, reference }) => {
    if (reference) return '';
    const known = values.filter((value) => value !== null);
    const [first, last] = [known[0], known.at(-1)];
    return first === undefined || last === undefined ? '' : `${name} from ${format(first)} to ${format(last)}`;
  });
  return `${title}, ${unit}, ${xTitle} ${x[0] ?? 0} to ${x.at(-1) ?? 0}: ${parts.filter((part) => part).join('; ')}. Left and right arrow keys read the values along the line.`;
}
