import type { ImageGrid } from '../../../report/imageGrid';

/** A sheet of panels and when it was made. */
export interface ShownSheet {
  readonly phase: string;
  /** Steps done. */
  readonly step: number;
  readonly sheet: ImageGrid;
}

/** Sheets and bytes of pixels that are kept, at most. */
const MOST = 40;
const MOST_BYTES = 64 * 2 ** 20;

/** The sheets of a run, oldest first: the newest, and of those before so many as memory allows, evenly spread. */
export class SheetHistory {
  private sheets: readonly ShownSheet[] = [];

  get all(): readonly ShownSheet[] {
    return this.sheets;
  }

  /** Adds a sheet. Those that a resumed run makes again go. */
  add(added: ShownSheet): void {
    const before = this.sheets.filter(({ phase, step }) => phase !== added.phase || step < added.step);
    let kept = [...before, added];
    while (kept.length > 1 && (kept.length > MOST || totalBytes(kept) > MOST_BYTES)) {
      kept = kept.filter((_, index) => (kept.length - 1 - index) % 2 === 0); // from the newest, every second
    }
    this.sheets = kept;
  }
}

function totalBytes(sheets: readonly ShownSheet[]): number {
  const images = sheets.flatMap(({ sheet }) => sheet.rows.flatMap((row) => row.images));
  return images.reduce((sum, { data }) => sum + data.length, 0);
}
