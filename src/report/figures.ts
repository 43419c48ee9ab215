/*
 * A page of figures: what an evaluation, an analysis or a study found, as one file that holds all its data and opens
 * anywhere. The page is built once, as a template with an empty place (see report.ts); whoever has results fills it.
 */

export interface FigurePage {
  /** What the page is about: `Linear separability`. */
  readonly title: string;
  /** The question and what the figures say to it, in a few sentences; each paragraph a string. */
  readonly lead: readonly string[];
  /** When it was made: ISO 8601, UTC. */
  readonly made: string;
  /** What it was computed on, as `nameAdapter` says, and whether that is a software adapter. */
  readonly adapter: string;
  readonly software: boolean;
  /** The command that repeats it. */
  readonly command: string;
  /** What the results depend on: model, data, budget, seeds. */
  readonly settings: readonly { readonly name: string; readonly value: string }[];
  readonly sections: readonly FigureSection[];
}

export interface FigureSection {
  /** For links: letters, digits and dashes. */
  readonly id: string;
  readonly title: string;
  readonly lead?: string;
  readonly figures: readonly Figure[];
}

export type Figure = LinesFigure | BarsFigure | MatrixFigure | TableFigure | PictureFigure;

interface Captioned {
  readonly title: string;
  /** What is shown, of how many images, under which configuration; what the interval is. */
  readonly caption: string;
}

export interface Axis {
  /** With its unit: `R² against the mean at each place`. */
  readonly title: string;
  /** What the axis always spans. */
  readonly span?: readonly [number, number];
  readonly logarithmic?: boolean;
}

/** Values with an interval around each, where there is one. */
export interface LinesFigure extends Captioned {
  readonly kind: 'lines';
  readonly x: Axis & { readonly values: readonly number[] };
  readonly y: Axis;
  readonly lines: readonly FigureLine[];
}

export interface FigureLine {
  readonly title: string;
  /** At each x; null where there is none. */
  readonly values: readonly (number | null)[];
  /** Ends of the interval around each value. */
  readonly low?: readonly (number | null)[];
  readonly high?: readonly (number | null)[];
  /** What the others are to be compared with (uniform attention, random weights, chance): drawn grey and dashed. */
  readonly reference?: boolean;
}

/** A value of each of several things. */
export interface BarsFigure extends Captioned {
  readonly kind: 'bars';
  readonly value: Axis;
  readonly bars: readonly {
    readonly title: string;
    readonly value: number;
    readonly low?: number;
    readonly high?: number;
    readonly reference?: boolean;
  }[];
}

/** A value of each pair of row and column, as colours: a confusion matrix, heads by layers. */
export interface MatrixFigure extends Captioned {
  readonly kind: 'matrix';
  readonly rows: { readonly title: string; readonly labels: readonly string[] };
  readonly columns: { readonly title: string; readonly labels: readonly string[] };
  /** What a value is, with its unit. */
  readonly value: Axis;
  /** Row by row. */
  readonly values: readonly (readonly (number | null)[])[];
}

export interface TableFigure extends Captioned {
  readonly kind: 'table';
  readonly columns: readonly { readonly title: string; readonly numeric?: boolean }[];
  /** Cells as they are to be read, a row each. */
  readonly rows: readonly (readonly string[])[];
}

export interface PictureFigure extends Captioned {
  readonly kind: 'picture';
  /** A `data:` URL. */
  readonly image: string;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
}
