import './language';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { enlargedPart, HEIGHT, LINE_WIDTH, plotData, plotOptions } from './chartOptions';
import type { ChartContent, ChartLine, ChartSettings } from './chartSettings';
import { element, svg } from './dom';
import { keep, recall } from './memory';
import { colourOf, onThemeChange } from './theme';

const NEARLY_IN_SIGHT = '200px';

export interface Chart {
  readonly element: HTMLElement;
  /** Shows other values, as they come: an enlarged part stays enlarged, and the cursor where it is. The lines are those that there were. */
  update(content: ChartContent): void;
  /** Marks a place on the x axis; the legend shows the values there while there is no cursor. */
  mark(at: number): void;
}

/** A line chart as wide as its place, in the colours of the theme; its legend shows the values at the cursor. */
export function chart(settings: ChartSettings): Chart {
  return new LineChart(settings);
}

class LineChart implements Chart {
  readonly element: HTMLElement;
  private readonly place: HTMLElement;
  private readonly legend: Legend;
  private plot: uPlot | undefined;
  private content: ChartContent;
  private marked: number | undefined;
  private readonly memory: string;
  private logarithmic: boolean;
  /** What is out of sight is drawn when it comes into it. */
  private inSight = false;
  private stale = false;

  constructor(private readonly settings: ChartSettings) {
    const { title, unit, note, group } = settings;
    this.content = settings;
    this.memory = `logarithmic ${group} ${title}`;
    this.logarithmic = Boolean(settings.logarithmic) && recall<boolean>(this.memory, settings.logarithmic === 'first');
    this.place = element('div', {
      class: 'plot',
      tabindex: 0,
      role: 'img',
      onkeydown: (event) => this.moveCursor(event as KeyboardEvent),
      onblur: () => this.plot?.setCursor({ left: -10, top: -10 }),
    });
    this.legend = new Legend(settings);
    this.watch();
    this.describePlace();
    this.read(undefined);
    this.element = element(
      'figure',
      { class: `card chart ${settings.class ?? ''}` },
      element(
        'figcaption',
        {},
        element('h4', {}, title),
        element('span', { class: 'unit' }, unit),
        settings.logarithmic ? this.logarithmicSwitch() : undefined,
      ),
      element('div', { class: 'frame' }, this.place, this.legend.at),
      this.legend.element,
      note === undefined ? undefined : element('p', { class: 'note' }, note),
    );
  }

  update(content: ChartContent): void {
    this.content = content;
    this.stale = !this.inSight;
    if (this.inSight) this.refresh();
  }

  mark(at: number): void {
    this.marked = at;
    this.plot?.redraw(false);
    this.read(this.plot?.cursor.idx);
  }

  /** The settings with the content of now. */
  private get shown(): ChartSettings {
    const { x, lines } = this.content;
    return { ...this.settings, x, lines };
  }

  private logarithmicSwitch(): HTMLElement {
    const toggle = element(
      'button',
      {
        type: 'button',
        class: 'quiet',
        'aria-pressed': String(this.logarithmic),
        title: 'Logarithmic axis',
        onclick: () => {
          this.logarithmic = !this.logarithmic;
          keep(this.memory, this.logarithmic);
          toggle.setAttribute('aria-pressed', String(this.logarithmic));
          this.draw();
        },
      },
      'log',
    );
    return toggle;
  }

  /** Follows what becomes of its place: whether it is in sight, how wide it is, in which theme. */
  private watch(): void {
    const { place } = this;
    new IntersectionObserver(
      (entries) => {
        this.inSight = entries.at(-1)?.isIntersecting === true;
        if (this.inSight && this.stale) {
          this.stale = false;
          this.refresh();
        }
      },
      { rootMargin: NEARLY_IN_SIGHT },
    ).observe(place);
    new ResizeObserver(() => {
      if (this.plot && place.clientWidth > 0) this.plot.setSize({ width: place.clientWidth, height: HEIGHT });
      else this.draw();
    }).observe(place);
    onThemeChange(() => this.plot?.redraw());
  }

  private draw(): void {
    const width = this.place.clientWidth;
    if (width === 0) return;
    const enlarged = this.plot && enlargedPart(this.plot);
    this.plot?.destroy();
    const made = plotOptions(this.shown, this.logarithmic, width, (cursor) => this.read(cursor));
    const drawMarked = (plot: uPlot): void => {
      if (this.marked !== undefined) drawMark(plot, this.marked);
    };
    this.plot = new uPlot(
      { ...made, hooks: { ...made.hooks, draw: [drawMarked] } },
      plotData(this.content, this.logarithmic),
      this.place,
    );
    if (enlarged) this.plot.setScale('x', enlarged);
  }

  private refresh(): void {
    this.describePlace();
    if (!this.plot) this.draw();
    else this.showNewer(this.plot);
    this.read(this.plot?.cursor.idx);
  }

  private showNewer(plot: uPlot): void {
    const values = plotData(this.content, this.logarithmic);
    const enlarged = enlargedPart(plot);
    if (values.length !== plot.data.length) {
      this.draw(); // trends have come
    } else if (enlarged) {
      plot.setData(values, false);
      plot.setScale('x', enlarged);
    } else {
      plot.setData(values);
    }
  }

  private describePlace(): void {
    this.place.setAttribute('aria-label', describe(this.shown));
  }

  private read(cursor: number | null | undefined): void {
    const { x } = this.content;
    const index = cursor ?? (this.marked === undefined ? undefined : nearestIndex(x, this.marked));
    this.legend.show(this.content, index);
  }

  private moveCursor(event: KeyboardEvent): void {
    const { plot } = this;
    const { x } = this.content;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined || !plot) return;
    event.preventDefault();
    const index = Math.min(x.length - 1, Math.max(0, (plot.cursor.idx ?? (by > 0 ? -1 : x.length)) + by));
    plot.setCursor({ left: plot.valToPos(x[index] ?? 0, 'x'), top: plot.over.clientHeight / 2 });
  }
}

/** The lines' names, and their values at one place. */
class Legend {
  readonly element: HTMLElement;
  /** Says which place. */
  readonly at = element('span', { class: 'at' });
  private readonly readings: readonly HTMLElement[];

  constructor(private readonly settings: ChartSettings) {
    const { lines } = settings;
    this.readings = lines.map(() => element('output', {}));
    this.element = element(
      'ul',
      { class: 'legend' },
      lines.map((line, i) =>
        line.reference
          ? undefined
          : element('li', {}, lineSample(line), element('span', {}, line.title), this.readings[i]),
      ),
    );
  }

  /** @param index of the place; without one, the latest values are shown */
  show({ x, lines }: ChartContent, index: number | undefined): void {
    const { format, rest = 'latest' } = this.settings;
    const step = index === undefined ? undefined : x[index];
    this.at.textContent = step === undefined ? rest : `at ${step.toLocaleString('en')}`;
    for (const [i, { values }] of lines.entries()) {
      const value = step === undefined ? values.findLast((each) => each !== null) : values[index as number];
      (this.readings[i] as HTMLElement).textContent = value === null || value === undefined ? '–' : format(value);
    }
  }
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
