import type { PhaseMetrics } from './metrics';
import type { Session } from './session';

/* The report of a run: a page whose template (see template.ts) a run fills with its `ReportData`. */

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

/**
 * At most `most` of the items, evenly spread, the first and the last among them.
 *
 * @param most 2 or more
 */
export function spread<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))] as T);
}
