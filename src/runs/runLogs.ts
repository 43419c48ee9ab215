import { join } from 'node:path';
import type { Config } from '../imae/config/config';
import type { MetricsLine } from '../imae/train/runFiles';
import { restartRecord, summaryRecord, versionRecord, type EventValues } from './eventFile';
import type { RunFolder } from './runFolder';

/** Where TensorBoard's files lie in a run folder: a folder a phase, since each counts steps from 0. */
export const TENSORBOARD = 'tensorboard';
export const METRICS_CSV = 'metrics.csv';

/** Copies of what a run measures, for other programs. */
export class RunLogs {
  private readonly files = new Map<string, string>();

  /** @param kind what is kept; of a run that goes on, from where it does */
  constructor(
    private readonly folder: RunFolder,
    private readonly kind: Config['logging']['log'],
  ) {}

  metrics(line: MetricsLine): void {
    if (!this.hasEvents) return;
    const { phase, step, ...rest } = line;
    this.append(phase, step, new Map(numbersIn(rest)));
  }

  /** @param name of the picture, as `imae-001000` */
  picture(name: string, png: Uint8Array): void {
    const [, phase, step] = /^(.+)-(\d+)$/.exec(name) ?? [];
    if (!this.hasEvents || phase === undefined) return;
    const { width, height } = sizeOf(png);
    this.append(phase, Number(step), new Map([['panels', { png, width, height }]]));
  }

  /** Writes `metrics.csv` anew, a line for each of `metrics.jsonl`. */
  table(): void {
    if (this.kind === 'csv' || this.kind === 'both')
      this.folder.writeFile(METRICS_CSV, csvOf(this.folder.metricsLines()));
  }

  private get hasEvents(): boolean {
    return this.kind === 'tensorboard' || this.kind === 'both';
  }

  /** A process that goes on with a run begins a file of its own. */
  private append(phase: string, step: number, values: EventValues): void {
    const seconds = Date.now() / 1000;
    let file = this.files.get(phase);
    if (file === undefined) {
      file = join(TENSORBOARD, phase, `events.out.tfevents.${Math.floor(seconds)}.palimpsest.${process.pid}`);
      this.files.set(phase, file);
      this.folder.append(file, versionRecord(seconds));
      if (step > 0) this.folder.append(file, restartRecord(seconds, step));
    }
    this.folder.append(file, summaryRecord(seconds, step, values));
  }
}

/** Of a PNG, whose first chunk says it. */
function sizeOf(png: Uint8Array): { readonly width: number; readonly height: number } {
  const view = new DataView(png.buffer, png.byteOffset);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** All numbers of a line, by where they lie in it: `unmixing/dominant/psnr`. */
function numbersIn(values: object, path = ''): [string, number][] {
  return Object.entries(values).flatMap(([name, value]: [string, unknown]) => {
    const place = path === '' ? name : `${path}/${name}`;
    if (typeof value === 'number') return [[place, value] as [string, number]];
    return typeof value === 'object' && value !== null ? numbersIn(value, place) : [];
  });
}

function csvOf(lines: readonly MetricsLine[]): string {
  const rows = lines.map(
    ({ phase, ...rest }) => new Map<string, string | number>([['phase', phase], ...numbersIn(rest)]),
  );
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))];
  const table = rows.map((row) => columns.map((column) => row.get(column) ?? '').join(','));
  return [columns.join(','), ...table].map((line) => `${line}\n`).join('');
}
