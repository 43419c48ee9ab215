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

/** What a chart shows: the lines' values at each place of x. */
export type ChartContent = Pick<ChartSettings, 'x' | 'lines'>;
