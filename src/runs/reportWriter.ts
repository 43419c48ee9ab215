import { reason } from '../node/failure';
import { readTemplate, writeReport } from './reportFile';
import { PanelReader } from './reportPanels';
import type { RunFolder } from './runFolder';

/** Milliseconds between reports that nothing asks for, at least. */
const INTERVAL = 10_000;
/** And at least so many times what the last one took: those that nothing asks for cost at most 2 % of a run's time. */
const RARITY = 50;

/** Keeps a run's report up to date. A report that cannot be written never ends the run: `note` says so, once. */
export class ReportWriter {
  private readonly panels: PanelReader;
  private template: string | undefined;
  private writing: Promise<void> | undefined;
  private again = false;
  private next = 0;
  private failed = false;

  /** @param templatePath by default where the build leaves it */
  constructor(
    private readonly folder: RunFolder,
    private readonly note: (label: string, text: string) => void,
    private readonly templatePath?: string,
  ) {
    this.panels = new PanelReader(folder.path);
  }

  /**
   * Something has changed: writes the report unless one was written a moment ago.
   *
   * @param options.now writes it in any case: a score, a picture, a checkpoint
   */
  update({ now = false }: { readonly now?: boolean } = {}): void {
    if (this.writing) this.again ||= now;
    else if (now || performance.now() >= this.next) this.start();
  }

  /** Writes the last report, when the run has left its last word in the folder. */
  async close(): Promise<void> {
    this.again = false;
    await this.writing;
    await this.write();
  }

  private start(): void {
    this.writing = this.write().finally(() => {
      this.writing = undefined;
      if (this.again) this.start();
    });
  }

  private async write(): Promise<void> {
    this.again = false;
    const began = performance.now();
    try {
      this.template ??= readTemplate(this.templatePath);
      await writeReport(this.folder, this.template, this.panels);
    } catch (error) {
      if (!this.failed) this.note('report', `not written, the run goes on without: ${reason(error)}`);
      this.failed = true;
    }
    const ended = performance.now();
    this.next = ended + Math.max(INTERVAL, RARITY * (ended - began));
  }
}
