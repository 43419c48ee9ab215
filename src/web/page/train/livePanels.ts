import type { GridImage, ImageGrid } from '../../../report/imageGrid';
import { COLUMNS } from '../../../imae/eval/panelColumns';
import { choiceField } from '../../components/choice';
import { element } from '../../components/dom';
import { stepSlider } from '../../components/stepSlider';
import type { FolderEntry } from '../../training/memoryFolder';
import type { ShownSheet } from './sheetHistory';

/** A picture of a card: a column of the sheet, and what stands under it. */
interface Cell {
  readonly column: string;
  readonly caption: string;
  readonly class?: string;
}

/** The cards of i-MAE: rows of cells, as far as the sheet has their columns. */
const PAIR: readonly (readonly Cell[])[] = [
  [
    { column: COLUMNS.mixture, caption: 'mixture' },
    { column: COLUMNS.subordinate, caption: 'subordinate', class: 'subordinate' },
    { column: COLUMNS.dominant, caption: 'dominant', class: 'dominant' },
  ],
  [
    { column: COLUMNS.seen, caption: 'what it sees' },
    { column: COLUMNS.subordinateTarget, caption: 'target' },
    { column: COLUMNS.dominantTarget, caption: 'target' },
  ],
];
const IMAGE: readonly (readonly Cell[])[] = [
  [
    { column: COLUMNS.image, caption: 'image' },
    { column: COLUMNS.seen, caption: 'what it sees' },
    { column: COLUMNS.composite, caption: 'completed' },
  ],
];

const HOW_TO_READ = {
  pairs:
    'Held-out pairs. Each mixture is taken apart into its subordinate, the image with less weight α, and its dominant image; below them ' +
    'stand the images themselves. Every patch of a reconstruction was predicted while it was hidden.',
  images: 'Held-out images. Every patch of a reconstruction was predicted while it was hidden.',
} as const;

/** What a model makes of held-out images while it is trained: cards with the newest sheet's pictures, or those of any moment before. */
export class LivePanels {
  readonly element: HTMLElement;
  private readonly title = element('p', { class: 'when' });
  private readonly cards = element('div', { class: 'cards' });
  private readonly choices = element('div', {});
  private readonly text = element('p', { class: 'note' });
  private readonly slider = stepSlider((index) => this.showAt(index));
  private sheets: readonly ShownSheet[] = [];
  private shown: ShownSheet | undefined;
  private label: string | undefined;
  private labels = '';

  /** @param before the picture of a sheet that a loaded run has left, shown until there is a sheet */
  constructor(before: FolderEntry | undefined) {
    this.element = element('div', { class: 'live-panels' }, before && pictureOf(before));
  }

  /** Shows the newest of the sheets, unless somebody looks at an older one. @returns whether there is anything to see */
  update(sheets: readonly ShownSheet[]): boolean {
    if (sheets !== this.sheets && sheets.length > 0) this.take(sheets);
    return this.element.childElementCount > 0;
  }

  private take(sheets: readonly ShownSheet[]): void {
    if (!this.shown) {
      const controls = element('div', { class: 'controls' }, this.slider.element, this.choices);
      this.element.replaceChildren(controls, this.title, this.cards, this.text);
    }
    const follows = this.shown === undefined || this.shown === this.sheets.at(-1);
    this.sheets = sheets;
    const kept = this.shown ? sheets.indexOf(this.shown) : -1;
    this.showAt(follows || kept < 0 ? sheets.length - 1 : kept);
  }

  private showAt(wanted: number): void {
    const index = Math.min(this.sheets.length - 1, Math.max(0, wanted));
    const shown = this.sheets[index];
    if (!shown) return;
    this.shown = shown;
    this.slider.show(
      this.sheets.map(({ step }) => step),
      index,
    );
    this.draw(shown.sheet);
  }

  private draw(sheet: ImageGrid): void {
    const labels = [...new Set(sheet.rows.map(({ label }) => label))];
    const isChoice = labels.length < sheet.rows.length;
    this.offer(isChoice ? labels : []);
    const rows = isChoice ? sheet.rows.filter(({ label }) => label === this.label) : sheet.rows;
    const isPairs = sheet.columns.includes(COLUMNS.mixture);
    const name = (index: number): string => (isPairs ? `Pair ${index + 1}, ${this.label ?? ''}` : `Image ${index + 1}`);
    this.title.textContent = sheet.title;
    this.text.textContent = isPairs ? HOW_TO_READ.pairs : HOW_TO_READ.images;
    this.cards.replaceChildren(
      ...rows.map(({ images }, index) => card(name(index), sheet.columns, images, isPairs ? PAIR : IMAGE)),
    );
  }

  /** A switch between the rows of one label and another: the weights of the subordinate. */
  private offer(labels: readonly string[]): void {
    if (labels.join() === this.labels) return;
    this.labels = labels.join();
    // In the middle, a mixture is neither one image nor quite the other.
    const chosen = labels.find((label) => label === this.label) ?? labels[Math.floor(labels.length / 2)];
    this.label = chosen;
    if (chosen === undefined) {
      this.choices.replaceChildren();
      return;
    }
    const onChoose = (label: string): void => {
      this.label = label;
      if (this.shown) this.draw(this.shown.sheet);
    };
    const options = labels.map((label) => ({ value: label, title: label }));
    this.choices.replaceChildren(choiceField({ label: 'Weight of the subordinate', options, chosen, onChoose }));
  }
}

/** A sheet as it lies in a run folder, too wide for most places. */
function pictureOf({ name, bytes }: FolderEntry): HTMLElement {
  const src = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'image/png' }));
  const image = element('img', {
    src,
    alt: `The last sheet of panels, ${name}`,
    onload: () => URL.revokeObjectURL(src),
  });
  return element(
    'div',
    { class: 'sheet', tabindex: 0, role: 'region', 'aria-label': 'The last sheet of panels' },
    image,
  );
}

function card(
  name: string,
  columns: readonly string[],
  images: readonly GridImage[],
  layout: readonly (readonly Cell[])[],
): HTMLElement {
  const rows = layout.map((cells) => cells.filter(({ column }) => columns.includes(column)));
  // Of one branch, there is no other to compare the dominant image with.
  const width = Math.min(...rows.map((cells) => cells.length));
  return element(
    'figure',
    { class: 'card', 'aria-label': name, style: `--columns: ${width}` },
    rows.flatMap((cells) =>
      cells.slice(0, width).map(({ column, caption, class: kind = '' }) => {
        const image = images[columns.indexOf(column)];
        return element(
          'div',
          { class: kind },
          image && picture(image, `${name}: ${caption}`),
          element('span', {}, caption),
        );
      }),
    ),
  );
}

/** An image as large as its place, each pixel a sharp square. */
function picture(image: GridImage, label: string): HTMLCanvasElement {
  const { width, height, data } = image;
  const canvas = element('canvas', { width, height, role: 'img', 'aria-label': label });
  canvas.getContext('2d')?.putImageData(new ImageData(data as Uint8ClampedArray<ArrayBuffer>, width, height), 0, 0);
  return canvas;
}
