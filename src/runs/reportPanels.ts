import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadCanvas } from '../node/canvas';
import { spread, type ReportPanel } from '../report/report';

/** Sheets a phase that a report holds. */
const MOST = 8;
/** A larger sheet is stored smaller: eight of each phase must leave a file that can be mailed. */
const LARGEST_BYTES = 400_000;
const LARGEST_SIDE = 2400;
const QUALITY = 80;

const SHEET = /^([a-z]+)-(\d+)\.png$/;

/** The sheets of panels in a run folder, as a report holds them. What a report holds is kept for the next. */
export class PanelReader {
  /** By phase, then by path and time. */
  private readonly known = new Map<string, ReadonlyMap<string, ReportPanel>>();

  constructor(private readonly runFolder: string) {}

  /** Of a phase, at most eight sheets spread over its steps, always the last; and how many there are. */
  async read(phase: string): Promise<{ readonly panels: readonly ReportPanel[]; readonly panelCount: number }> {
    const folder = join(this.runFolder, 'panels');
    const sheets = (existsSync(folder) ? readdirSync(folder) : [])
      .map((name) => ({ name, match: SHEET.exec(name) }))
      .filter(({ match }) => match?.[1] === phase)
      .map(({ name, match }) => ({ path: join(folder, name), step: Number(match?.[2]) }))
      .sort((a, b) => a.step - b.step);
    const panels: ReportPanel[] = [];
    const used = new Map<string, ReportPanel>();
    for (const { path, step } of spread(sheets, MOST)) {
      const key = `${path} ${statSync(path).mtimeMs}`;
      const panel = this.known.get(phase)?.get(key) ?? { step, ...(await pictureUrl(readFileSync(path))) };
      used.set(key, panel);
      panels.push(panel);
    }
    this.known.set(phase, used);
    return { panels, panelCount: sheets.length };
  }
}

async function pictureUrl(png: Buffer): Promise<Omit<ReportPanel, 'step'>> {
  const { createCanvas, loadImage } = loadCanvas();
  const picture = await loadImage(png);
  const { width, height } = picture;
  if (png.length <= LARGEST_BYTES) return { image: dataUrl('png', png), width, height };
  const scale = Math.min(1, LARGEST_SIDE / Math.max(width, height));
  const canvas = createCanvas(Math.round(width * scale), Math.round(height * scale));
  canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
  const image = dataUrl('webp', await canvas.encode('webp', QUALITY));
  return { image, width: canvas.width, height: canvas.height };
}

function dataUrl(format: string, bytes: Buffer): string {
  return `data:image/${format};base64,${bytes.toString('base64')}`;
}
