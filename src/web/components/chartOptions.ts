import uPlot from 'uplot';
import { formatCount, formatSetting } from '../../common/format';
import type { ChartContent, ChartLine, ChartSettings } from './chartSettings';
import { colourOf } from './theme';

export const HEIGHT = 220;
const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const DIGIT_WIDTH = 7;
export const LINE_WIDTH = 1.75;
/** What uPlot calls the laws of an axis. */
const LINEAR = 1;
const LOGARITHMIC = 3;
const WHOLE_INCREMENTS = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500]
  .flatMap((n) => [n, n * 1e3, n * 1e6])
  .sort((a, b) => a - b);
/** So many are drawn as points too, and more where each has so much room, in CSS pixels. */
const FEW_POINTS = 20;
const ROOM_OF_POINT = 12;

const grid: uPlot.Axis.Grid = { stroke: () => colourOf('--line'), width: 1 };
const axis: uPlot.Axis = { stroke: () => colourOf('--muted'), font: FONT, grid, ticks: { show: false } };

/** What uPlot is to draw, and how. @param read is told the index of the place under the cursor */
export function plotOptions(
  { x, xTitle, lines, span, group, onZoom, logarithmicX, tick = tickText }: ChartSettings,
  logarithmic: boolean,
  width: number,
  read: (index: number | null | undefined) => void,
): uPlot.Options {
  // First the values of all lines, then the trends over them, then the ends of the intervals around them.
  const trends = lines.filter(({ trend }) => trend !== undefined);
  const banded = lines.filter(({ interval }) => interval !== undefined);
  const firstEnd = 1 + lines.length + trends.length;
  const drawn = [...lines, ...trends];
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
    axes: [xAxis(x, xTitle), yAxis(tick)],
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

function xAxis(x: readonly number[], title: string): uPlot.Axis {
  return {
    ...axis,
    label: title,
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
  };
}

function yAxis(tickOf: (value: number) => string): uPlot.Axis {
  return {
    ...axis,
    gap: 6,
    space: 34,
    values: (_, ticks) => ticks.map((tick: number | null) => (tick === null ? '' : tickOf(tick))),
    size: (_, texts: string[] | null) => 12 + DIGIT_WIDTH * Math.max(2, ...(texts ?? []).map((text) => text.length)),
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
export function plotData({ x, lines }: ChartContent, logarithmic: boolean): uPlot.AlignedData {
  const shown = (value: number | null): number | null => (value !== null && value > 0 ? value : null);
  const all = [
    ...lines.map(({ values }) => values),
    ...lines.flatMap(({ trend }) => (trend ? [trend] : [])),
    ...lines.flatMap(({ interval }) => (interval ? [interval.low, interval.high] : [])),
  ];
  return [[...x], ...all.map((values) => (logarithmic ? values.map(shown) : [...values]))];
}

/** The part of the x axis that is shown, where it is not all of it. */
export function enlargedPart({ data: [x], scales }: uPlot): { min: number; max: number } | undefined {
  const { min, max } = scales['x'] ?? {};
  const [first, last] = [x[0], x.at(-1)];
  if (min === undefined || max === undefined || first === undefined || last === undefined) return undefined;
  return min > first || max < last ? { min, max } : undefined;
}
