import type { PhaseMetrics } from './metrics';
import type { Session } from './session';

/*
 * The report of a run: one page that holds all its data, so that it opens anywhere. The page is built once, as a
 * template with an empty place; a run fills that place with its `ReportData`.
 */

export interface ReportData {
  /** The run folder's name, and its path as the user gave it. */
  readonly name: string;
  readonly path: string;
  readonly preset: string;
  /** The preset in one line. */
  readonly about: string;
  readonly dataSet: string;
  /** When this was put together: ISO 8601, UTC. */
  readonly written: string;
  readonly phases: readonly ReportPhase[];
  readonly settings: readonly SettingsSection[];
  /** `config.json` as it is. */
  readonly configFile: string;
  readonly sessions: readonly Session[];
}

/** A phase of the run, begun or not. */
export interface ReportPhase extends PhaseMetrics {
  readonly id: string;
  readonly title: string;
  /** Steps done, as far as the folder tells. */
  readonly done: number;
  /** Steps it has; absent where they are given in epochs of an image set whose size is unknown. */
  readonly steps?: number;
  /** Images an optimizer step. */
  readonly batch: number;
  readonly panels: readonly ReportPanel[];
  /** Sheets of panels in the folder: more than `panels` where some were left out. */
  readonly panelCount: number;
}

/** A sheet of panels. */
export interface ReportPanel {
  /** Steps done. */
  readonly step: number;
  /** A `data:` URL. */
  readonly image: string;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
}

export interface SettingsSection {
  readonly title: string;
  readonly settings: readonly ReportSetting[];
}

/** A setting as the command line would write it. */
export interface ReportSetting {
  /** In the configuration: `model.dim`. */
  readonly name: string;
  readonly help: string;
  readonly value: string;
  /** The preset's own value, where this run's differs. */
  readonly preset?: string;
}

/** The element of a template that takes the data. */
export const REPORT_PLACE = '<script type="application/json" id="report"></script>';

/**
 * A report: the template with the data in its place.
 *
 * @throws RangeError where the template does not have exactly one place
 */
export function fillReport(template: string, data: ReportData): string {
  const [before, after, ...more] = template.split(REPORT_PLACE);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new RangeError(
      `A report's template has ${REPORT_PLACE} once, not ${more.length + (after === undefined ? 0 : 1)} times.`,
    );
  }
  // In JSON a < stands in strings only; escaped, none of them can end the element or begin a comment in it.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  return before + REPORT_PLACE.replace('><', () => `>${json}<`) + after;
}

/**
 * At most `most` of the items, evenly spread, the first and the last among them.
 *
 * @param most 2 or more
 */
export function spread<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))] as T);
}
