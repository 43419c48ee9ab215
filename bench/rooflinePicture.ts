import { SHEET_FONT } from '../src/report/imageGrid';
import { roof, type BenchResult, type Ceilings, type Rate } from './roofline';
import type { SavedBench } from './resultFile';

/*
 * The roofline: operations a byte to the right, GFLOP/s upward, both logarithmic. What this adapter reached at most is drawn as
 * lines, every timed case as a dot under them, and of each kernel the fastest is named.
 */

/** What is used of a `CanvasRenderingContext2D` or its like. */
export interface PlotContext {
  font: string;
  fillStyle: unknown;
  strokeStyle: unknown;
  lineWidth: number;
  textAlign: CanvasTextAlign;
  textBaseline: CanvasTextBaseline;
  measureText(text: string): { readonly width: number };
  fillText(text: string, x: number, y: number): void;
  fillRect(x: number, y: number, width: number, height: number): void;
  beginPath(): void;
  closePath(): void;
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  arc(x: number, y: number, radius: number, start: number, end: number): void;
  setLineDash(segments: number[]): void;
  fill(): void;
  stroke(): void;
  save(): void;
  restore(): void;
  translate(x: number, y: number): void;
  rotate(angle: number): void;
}

export const PICTURE = { width: 1500, height: 960 } as const;
const FIELD = { left: 96, right: 1470, top: 104, bottom: 868 } as const;
/** What is so many times slower than the fastest is not shown: it would push all else together. */
const SPAN = 1e5;
const INK = '#1a1a1a';
const MUTED = '#5c5c5c';
const GRID = '#e4e4e4';
/** Colours that those who see few can tell apart; with four shapes there are 28 marks. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#3a9bd6', '#b87d00', '#000000'] as const;

interface Range {
  readonly low: number;
  readonly high: number;
}

/** Where an intensity and a rate lie on the picture. */
export interface Scale {
  readonly x: (intensity: number) => number;
  readonly y: (gflops: number) => number;
  readonly intensities: Range;
  readonly rates: Range;
}

/** Axes that hold all dots and the point where the highest rate meets the copy bandwidth. */
export function scaleOf(dots: readonly BenchResult[], ceilings: Ceilings): Scale {
  const highest = Math.max(...(['f32', 'f16', 'subgroupMatrix'] as const).map((rate) => ceilings[rate]?.value ?? 0));
  const ridge = highest / ceilings.copy.value;
  const intensities = {
    low: Math.min(ridge, ...dots.map(({ intensity }) => intensity)) / 2,
    high: Math.max(ridge, ...dots.map(({ intensity }) => intensity)) * 3,
  };
  const rates = {
    low: Math.min(highest, ...dots.map(({ gflops }) => gflops)) / 2,
    high: Math.max(highest, ...dots.map(({ gflops }) => gflops)) * 2,
  };
  const place = (value: number, { low, high }: Range): number => Math.log(value / low) / Math.log(high / low);
  return {
    x: (intensity) => FIELD.left + place(intensity, intensities) * (FIELD.right - FIELD.left),
    y: (gflops) => FIELD.bottom - place(gflops, rates) * (FIELD.bottom - FIELD.top),
    intensities,
    rates,
  };
}

/** Draws the picture of what was timed. The context is `PICTURE` wide and high. */
export function drawRoofline(context: PlotContext, saved: SavedBench, ceilings: Ceilings): void {
  const rows = saved.benches.filter((row) => 'microseconds' in row);
  const highest = Math.max(...rows.map(({ gflops }) => gflops));
  const dots = rows.filter(({ gflops }) => gflops > highest / SPAN);
  const scale = scaleOf(dots, ceilings);
  context.fillStyle = '#ffffff';
  context.fillRect(0, 0, PICTURE.width, PICTURE.height);
  drawTitle(context, saved);
  drawGrid(context, scale);
  drawCeilings(context, scale, ceilings);
  drawDots(context, scale, dots, ceilingBoxes(scale, ceilings));
  const left = rows.length - dots.length;
  const note = left > 0 ? ` Not shown: ${left} cases that only move data, or are bound by the cost of a dispatch.` : '';
  text(context, `Each dot is a case; of each kernel the fastest is named.${note}`, FIELD.right, PICTURE.height - 16, {
    size: 14,
    align: 'right',
    color: MUTED,
  });
}

function drawTitle(context: PlotContext, { device, date, palimpsest, clock, kernels }: SavedBench): void {
  const { name, software } = device.adapter;
  text(context, `Kernels on ${name}`, FIELD.left, 38, { size: 24, bold: true });
  const lines = `palimpsest ${palimpsest}, ${kernels} kernels, ${date.slice(0, 10)}; timed by ${clock?.kind ?? 'nothing'}`;
  text(context, lines, FIELD.left, 64, { size: 15, color: MUTED });
  if (software) {
    text(context, 'SOFTWARE, not a GPU: these times are no result', FIELD.left, 90, {
      size: 18,
      bold: true,
      color: '#b00020',
    });
  }
}

function drawGrid(context: PlotContext, { x, y, intensities, rates }: Scale): void {
  context.lineWidth = 1;
  context.setLineDash([]);
  context.strokeStyle = GRID;
  for (const value of powers(intensities)) {
    line(context, [
      [x(value), FIELD.top],
      [x(value), FIELD.bottom],
    ]);
    text(context, number(value), x(value), FIELD.bottom + 22, { size: 14, align: 'center' });
  }
  for (const value of powers(rates)) {
    line(context, [
      [FIELD.left, y(value)],
      [FIELD.right, y(value)],
    ]);
    text(context, number(value), FIELD.left - 10, y(value) + 5, { size: 14, align: 'right' });
  }
  context.strokeStyle = INK;
  line(context, [
    [FIELD.left, FIELD.top],
    [FIELD.left, FIELD.bottom],
    [FIELD.right, FIELD.bottom],
  ]);
  text(context, 'operations a byte', (FIELD.left + FIELD.right) / 2, FIELD.bottom + 50, { size: 16, align: 'center' });
  turned(context, 28, (FIELD.top + FIELD.bottom) / 2, -Math.PI / 2, () =>
    text(context, 'GFLOP/s', 0, 0, { size: 16, align: 'center' }),
  );
}

const RATES: Readonly<Record<Rate, { readonly title: string; readonly dash: number[] }>> = {
  f32: { title: 'f32', dash: [] },
  f16: { title: 'f16', dash: [14, 6] },
  subgroupMatrix: { title: 'subgroup matrices', dash: [4, 5] },
};

function drawCeilings(context: PlotContext, { x, y, intensities, rates }: Scale, ceilings: Ceilings): void {
  const { value: bandwidth } = ceilings.copy;
  let highest = 0;
  context.strokeStyle = INK;
  context.lineWidth = 2;
  for (const rate of ['f32', 'f16', 'subgroupMatrix'] as const) {
    const value = ceilings[rate]?.value;
    if (value === undefined) continue;
    highest = Math.max(highest, value);
    context.setLineDash(RATES[rate].dash);
    line(context, [
      [x(value / bandwidth), y(value)],
      [FIELD.right, y(value)],
    ]);
    text(context, `${RATES[rate].title} ${number(value)} GFLOP/s`, FIELD.right - 4, y(value) - 8, {
      size: 15,
      align: 'right',
      bold: true,
    });
  }
  context.setLineDash([]);
  // From where it comes in, at the left or at the bottom, to the highest rate.
  const start = Math.max(intensities.low, rates.low / bandwidth);
  const [from, to] = [
    [x(start), y(start * bandwidth)],
    [x(highest / bandwidth), y(roof(ceilings, highest / bandwidth, rateOfValue(ceilings, highest)))],
  ] as const;
  line(context, [from, to]);
  const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
  turned(context, from[0] + (to[0] - from[0]) * 0.3, from[1] + (to[1] - from[1]) * 0.3, angle, () =>
    text(context, `copying ${number(bandwidth)} GB/s`, 0, -9, { size: 15, align: 'center', bold: true }),
  );
}

/** Where ceilings are drawn and named: names of kernels keep off them. */
function ceilingBoxes({ x, y, intensities }: Scale, ceilings: Ceilings): Box[] {
  const rates = (['f32', 'f16', 'subgroupMatrix'] as const).flatMap((rate) => ceilings[rate]?.value ?? []);
  const { value: bandwidth } = ceilings.copy;
  const level = rates.flatMap((rate): Box[] => [
    { left: x(rate / bandwidth), right: FIELD.right, top: y(rate) - 4, bottom: y(rate) + 4 },
    { left: FIELD.right - 270, right: FIELD.right, top: y(rate) - 24, bottom: y(rate) },
  ]);
  const ridge = Math.max(...rates) / bandwidth;
  const slope = Array.from({ length: 100 }, (_, step): Box => {
    const intensity = intensities.low * (ridge / intensities.low) ** (step / 99);
    const [px, py] = [x(intensity), y(intensity * bandwidth)];
    return { left: px - 6, right: px + 6, top: py - (step > 15 && step < 50 ? 26 : 6), bottom: py + 6 };
  });
  return [...level, ...slope];
}

function rateOfValue(ceilings: Ceilings, value: number): Rate {
  return (['f16', 'subgroupMatrix'] as const).find((rate) => ceilings[rate]?.value === value) ?? 'f32';
}

function drawDots(context: PlotContext, { x, y }: Scale, dots: readonly BenchResult[], lines: readonly Box[]): void {
  const kernels = [...new Set(dots.map(({ kernel }) => kernel))];
  const markOf = (kernel: string): { color: string; shape: number } => {
    const index = kernels.indexOf(kernel);
    return { color: COLOURS[index % COLOURS.length] as string, shape: Math.floor(index / COLOURS.length) % 4 };
  };
  const taken: Box[] = [...lines];
  for (const { kernel, intensity, gflops } of dots) {
    const [cx, cy] = [x(intensity), y(gflops)];
    mark(context, cx, cy, markOf(kernel));
    taken.push({ left: cx - 4, top: cy - 4, right: cx + 4, bottom: cy + 4 });
  }
  for (const kernel of kernels) {
    const fastest = dots.filter((dot) => dot.kernel === kernel).reduce((a, b) => (b.gflops > a.gflops ? b : a));
    const [cx, cy] = [x(fastest.intensity), y(fastest.gflops)];
    context.font = fontOf(15, true);
    const width = context.measureText(kernel).width;
    const box = freeBox(cx, cy, width, taken);
    taken.push(box);
    const { color } = markOf(kernel);
    const [tx, ty] = [Math.min(Math.max(cx, box.left), box.right), (box.top + box.bottom) / 2];
    if (Math.hypot(tx - cx, ty - cy) > 24) {
      context.strokeStyle = color;
      context.lineWidth = 1;
      line(context, [
        [cx, cy],
        [tx, ty < cy ? box.bottom : box.top],
      ]);
    }
    text(context, kernel, box.left, box.bottom - 4, { size: 15, bold: true, color });
  }
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The nearest place for a name around a dot where nothing is yet; if there is none, right of it. */
export function freeBox(cx: number, cy: number, width: number, taken: readonly Box[]): Box {
  const height = 19;
  const at = (left: number, top: number): Box => ({ left, top, right: left + width, bottom: top + height });
  for (let far = 9; far < 200; far += 8) {
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, -1],
      [0, 1],
      [1, -1],
      [-1, -1],
      [1, 1],
      [-1, 1],
    ] as const) {
      const box = at(
        cx + dx * far - (dx < 0 ? width : dx === 0 ? width / 2 : 0),
        cy + dy * far - (dy < 0 ? height : dy === 0 ? height / 2 : 0),
      );
      const inside =
        box.left > FIELD.left && box.right < FIELD.right && box.top > FIELD.top && box.bottom < FIELD.bottom;
      if (inside && !taken.some((other) => overlaps(box, other))) return box;
    }
  }
  return at(cx + 9, cy - height / 2);
}

function overlaps(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** A circle, a square, a triangle or a diamond. */
function mark(
  context: PlotContext,
  cx: number,
  cy: number,
  { color, shape }: { readonly color: string; readonly shape: number },
): void {
  context.fillStyle = color;
  context.beginPath();
  if (shape === 0) context.arc(cx, cy, 5, 0, 2 * Math.PI);
  else {
    const corners =
      [
        [
          [-4.5, -4.5],
          [4.5, -4.5],
          [4.5, 4.5],
          [-4.5, 4.5],
        ],
        [
          [0, -6],
          [6, 5],
          [-6, 5],
        ],
        [
          [0, -6.5],
          [6.5, 0],
          [0, 6.5],
          [-6.5, 0],
        ],
      ][shape - 1] ?? [];
    corners.forEach(([dx = 0, dy = 0], index) =>
      index === 0 ? context.moveTo(cx + dx, cy + dy) : context.lineTo(cx + dx, cy + dy),
    );
    context.closePath();
  }
  context.fill();
}

function line(context: PlotContext, points: readonly (readonly [number, number])[]): void {
  context.beginPath();
  points.forEach(([px, py], index) => (index === 0 ? context.moveTo(px, py) : context.lineTo(px, py)));
  context.stroke();
}

function turned(context: PlotContext, px: number, py: number, angle: number, draw: () => void): void {
  context.save();
  context.translate(px, py);
  context.rotate(angle);
  draw();
  context.restore();
}

interface TextStyle {
  readonly size: number;
  readonly bold?: boolean;
  readonly align?: CanvasTextAlign;
  readonly color?: string;
}

function fontOf(size: number, bold: boolean): string {
  return `${bold ? 'bold ' : ''}${size}px '${SHEET_FONT}'`;
}

function text(
  context: PlotContext,
  what: string,
  px: number,
  py: number,
  { size, bold = false, align = 'left', color = INK }: TextStyle,
): void {
  context.font = fontOf(size, bold);
  context.textAlign = align;
  context.textBaseline = 'alphabetic';
  context.fillStyle = color;
  context.fillText(what, px, py);
}

/** Powers of ten in a range, or of two where those would be few. */
export function powers({ low, high }: Range): number[] {
  const base = high / low > 300 ? 10 : 2;
  const all: number[] = [];
  for (let exponent = Math.ceil(Math.log(low) / Math.log(base)); base ** exponent <= high; exponent++)
    all.push(base ** exponent);
  return all;
}

function number(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}
