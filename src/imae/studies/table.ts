import type { BarsFigure, FigureLine, LinesFigure, TableFigure } from '../../report/figures';
import type { StudyCell } from './studyCell';

/** What one run of a cell came to: numbers by name, such as `score.subordinate@0.3`. */
export type CellValues = Readonly<Record<string, number>>;

/** A mean over seeds, with the 95 % interval of Student's t where there are several. */
export interface OverSeeds {
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  readonly seeds: number;
}

/** Two-sided 95 % quantiles of Student's t, by degrees of freedom from 1. */
const STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
const NORMAL = 1.96;

export function overSeeds(values: readonly number[]): OverSeeds | undefined {
  const seeds = values.length;
  if (seeds === 0) return undefined;
  const value = values.reduce((sum, each) => sum + each, 0) / seeds;
  if (seeds === 1) return { value, seeds };
  const variance = values.reduce((sum, each) => sum + (each - value) * (each - value), 0) / (seeds - 1);
  const half = (STUDENT[seeds - 2] ?? NORMAL) * Math.sqrt(variance / seeds);
  return { value, low: value - half, high: value + half, seeds };
}

/** The cells of a study and what their runs came to, as far as they are done. */
export class Table {
  constructor(
    readonly cells: readonly StudyCell[],
    readonly alphas: readonly number[],
    /** Of each cell by its name, the run of each seed. */
    private readonly results: ReadonlyMap<string, ReadonlyMap<number, CellValues>>,
  ) {}

  /** What others are compared with, where there is such a cell. */
  get reference(): StudyCell | undefined {
    return this.cells.find(({ reference }) => reference);
  }

  /** A value; of one that is measured at each α, the mean over them, of every seed by itself. */
  at(cell: StudyCell, name: string): OverSeeds | undefined {
    return overSeeds([...this.bySeed(cell, name).values()]);
  }

  /** A value less that of the reference, seed by seed: what the two have in common by their seed falls out. */
  difference(cell: StudyCell, name: string): OverSeeds | undefined {
    const reference = this.reference && this.bySeed(this.reference, name);
    return overSeeds(
      [...this.bySeed(cell, name)].flatMap(([seed, value]) => {
        const other = reference?.get(seed);
        return other === undefined ? [] : [value - other];
      }),
    );
  }

  has(name: string): boolean {
    return this.cells.some((cell) => this.at(cell, name));
  }

  private bySeed(cell: StudyCell, name: string): ReadonlyMap<number, number> {
    const found = new Map<number, number>();
    for (const [seed, values] of this.results.get(cell.name) ?? []) {
      const value = values[name] ?? this.overAlphas(values, name);
      if (value !== undefined) found.set(seed, value);
    }
    return found;
  }

  private overAlphas(values: CellValues, name: string): number | undefined {
    const all = this.alphas.flatMap((alpha) => values[`${name}@${alpha}`] ?? []);
    return all.length === this.alphas.length ? all.reduce((sum, each) => sum + each, 0) / all.length : undefined;
  }
}

interface Titled {
  readonly title: string;
  readonly caption: string;
  /** What is measured, with its unit. */
  readonly y: string;
  readonly span?: readonly [number, number];
}

/** Fewer have an interval so wide that it would hide all else: it is told in the table alone. */
const SEEDS_OF_BAND = 3;

/** Means, and the bands around them where there are seeds enough. */
function banded(found: readonly (OverSeeds | undefined)[]): Pick<FigureLine, 'values' | 'low' | 'high'> {
  const values = found.map((each) => each?.value ?? null);
  if (!found.some((each) => each && each.seeds >= SEEDS_OF_BAND)) return { values };
  return { values, low: found.map((each) => each?.low ?? null), high: found.map((each) => each?.high ?? null) };
}

/** A line a cell over α, and lines to compare with. */
export function overAlpha(
  table: Table,
  name: string,
  { title, caption, y, span }: Titled,
  references: readonly { readonly title: string; readonly name: string }[] = [],
): LinesFigure {
  const { alphas, cells } = table;
  const line = (cell: StudyCell, key: string): ReturnType<typeof banded> =>
    banded(alphas.map((alpha) => table.at(cell, `${key}@${alpha}`)));
  return {
    kind: 'lines',
    title,
    caption,
    x: { title: 'α, weight of the subordinate', values: alphas },
    y: { title: y, ...(span ? { span } : {}) },
    lines: [
      ...cells.map((cell) => ({
        title: cell.title,
        ...line(cell, name),
        ...(cell.reference ? { reference: true } : {}),
      })),
      // Mostly it is alike in all cells; where it is not, the first that has it stands for itself.
      ...references.flatMap((reference) => {
        const found = cells
          .map((cell) => ({ cell, values: line(cell, reference.name).values }))
          .filter(({ values }) => values.some((value) => value !== null));
        const [first] = found;
        if (!first) return [];
        const isShared = found.every(({ values }) => String(values) === String(first.values));
        return [
          {
            title: isShared ? reference.title : `${reference.title}, ${first.cell.title}`,
            values: first.values,
            reference: true,
          },
        ];
      }),
    ],
  };
}

/** A bar a cell: of a value, or of the mean over α of one that is measured at each. */
export function overCells(table: Table, name: string, { title, caption, y, span }: Titled): BarsFigure {
  return {
    kind: 'bars',
    title,
    caption,
    value: { title: y, ...(span ? { span } : {}) },
    bars: table.cells.flatMap((cell) => {
      const found = table.at(cell, name);
      if (!found) return [];
      const { value, low, high, seeds } = found;
      const interval = seeds < SEEDS_OF_BAND || low === undefined || high === undefined ? {} : { low, high };
      return [{ title: cell.title, value, ...interval, ...(cell.reference ? { reference: true } : {}) }];
    }),
  };
}

/** A line a value over what is varied, where that is a number; cells without a place are levels to compare with. */
export function overSetting(
  table: Table,
  names: readonly { readonly title: string; readonly name: string }[],
  x: string,
  { title, caption, y, span }: Titled,
): LinesFigure {
  const placed = table.cells.filter((cell) => cell.x !== undefined);
  const levels = table.cells.filter((cell) => cell.x === undefined);
  return {
    kind: 'lines',
    title,
    caption,
    x: { title: x, values: placed.map((cell) => cell.x ?? 0) },
    y: { title: y, ...(span ? { span } : {}) },
    lines: names.flatMap(({ title: named, name }) => {
      const found = placed.map((cell) => table.at(cell, name));
      return [
        { title: named, ...banded(found) },
        ...levels.flatMap((cell): FigureLine[] => {
          const level = table.at(cell, name);
          return level
            ? [{ title: `${named}, ${cell.title}`, values: placed.map(() => level.value), reference: true }]
            : [];
        }),
      ];
    }),
  };
}

interface Column {
  readonly title: string;
  readonly name: string;
  readonly digits?: number;
}

/** A row a cell, a column a value; means over α where a value is measured at each. */
export function tableOf(
  table: Table,
  columns: readonly Column[],
  titled: Pick<Titled, 'title' | 'caption'>,
): TableFigure {
  return tableFigure(shownOf(table, columns), table.cells, (cell, name) => table.at(cell, name), titled);
}

/** The same less the reference, seed by seed. @returns none where there is no reference */
export function differencesOf(
  table: Table,
  columns: readonly Column[],
  titled: Pick<Titled, 'title' | 'caption'>,
): TableFigure[] {
  const others = table.cells.filter((cell) => cell !== table.reference);
  if (!table.reference || others.length === 0) return [];
  return [tableFigure(shownOf(table, columns), others, (cell, name) => table.difference(cell, name), titled, true)];
}

/** The columns that there are values for. */
function shownOf(table: Table, columns: readonly Column[]): readonly Column[] {
  return columns.filter(({ name }) => table.has(name));
}

function tableFigure(
  shown: readonly Column[],
  cells: readonly StudyCell[],
  at: (cell: StudyCell, name: string) => OverSeeds | undefined,
  { title, caption }: Pick<Titled, 'title' | 'caption'>,
  isDifference = false,
): TableFigure {
  const text = (found: OverSeeds | undefined, digits = 3): string => {
    if (!found) return '–';
    const { value, high } = found;
    const mean = value
      .toLocaleString('en', {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
        signDisplay: isDifference ? 'exceptZero' : 'auto',
      })
      .replace('-', '−');
    return high === undefined || high === value ? mean : `${mean} ± ${(high - value).toFixed(digits)}`;
  };
  return {
    kind: 'table',
    title,
    caption,
    columns: [
      { title: 'cell' },
      ...shown.map((column) => ({ title: column.title, numeric: true })),
      { title: 'seeds', numeric: true },
    ],
    rows: cells.map((cell) => {
      const found = shown.map(({ name }) => at(cell, name));
      return [
        cell.title,
        ...found.map((each, index) => text(each, shown[index]?.digits)),
        String(Math.max(0, ...found.map((each) => each?.seeds ?? 0))),
      ];
    }),
  };
}
