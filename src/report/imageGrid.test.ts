import { describe, expect, it } from 'vitest';
import {
  drawPanels,
  layoutPanels,
  type GridContext,
  type GridImage,
  type GridLayout,
  type ImageGrid,
} from './imageGrid';

interface Box {
  readonly what: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** A canvas whose letters are half as wide as high, and which remembers what was drawn where. */
class FakeContext implements GridContext {
  font = '';
  fillStyle: unknown = '';
  textAlign: CanvasTextAlign = 'left';
  textBaseline: CanvasTextBaseline = 'alphabetic';
  readonly texts: Box[] = [];
  readonly images: (Box & { data: Uint8ClampedArray })[] = [];
  readonly rectangles: Box[] = [];

  measureText(text: string): { width: number } {
    return { width: (text.length * this.size()) / 2 };
  }

  fillText(text: string, x: number, y: number): void {
    const { width } = this.measureText(text);
    const left = { left: x, center: x - width / 2, right: x - width, start: x, end: x - width }[this.textAlign];
    this.texts.push({ what: text, left, right: left + width, top: y - this.size() / 2, bottom: y + this.size() / 2 });
  }

  fillRect(x: number, y: number, width: number, height: number): void {
    this.rectangles.push({ what: 'rectangle', left: x, right: x + width, top: y, bottom: y + height });
  }

  createImageData(width: number, height: number): GridImage {
    return { width, height, data: new Uint8ClampedArray(width * height * 4) };
  }

  putImageData({ width, height, data }: GridImage, x: number, y: number): void {
    this.images.push({ what: 'image', left: x, right: x + width, top: y, bottom: y + height, data });
  }

  private size(): number {
    return Number(/(\d+)px/.exec(this.font)?.[1]);
  }
}

/** The canvases of browsers fit: the compiler checks it. */
type Fits<T extends GridContext> = T;
export type BrowserContext = Fits<CanvasRenderingContext2D> | Fits<OffscreenCanvasRenderingContext2D>;

function image(width: number, height: number, first = 0): GridImage {
  return { width, height, data: Uint8ClampedArray.from({ length: width * height * 4 }, (_, byte) => first + byte) };
}

function draw(sheet: ImageGrid): { layout: GridLayout; context: FakeContext } {
  const context = new FakeContext();
  const layout = layoutPanels(context, sheet);
  drawPanels(context, layout);
  return { layout, context };
}

const sheet = (over: Partial<ImageGrid> = {}): ImageGrid => ({
  title: 'Taken apart',
  caption: 'a caption that is long enough to need more than one line below a narrow sheet of images',
  columns: ['mixture', 'subordinate, clean visible patches pasted in: contains ground truth'],
  rows: [0.1, 0.35, 0.5].map((alpha) => ({ label: `α = ${alpha}`, images: [image(17, 9), image(17, 9)] })),
  scale: 3,
  ...over,
});

describe('panels', () => {
  it.each<[string, Partial<ImageGrid>]>([
    ['an ordinary sheet', {}],
    ['a long title', { title: 'An exceptionally long title over a very narrow sheet of images' }],
    ['a heading of one long word', { columns: ['reconstruction_of_the_subordinate', 'b'] }],
    ['a caption of one long word', { caption: 'x'.repeat(200) }],
    ['a long row label', { rows: [{ label: 'a label of many words, wrapped', images: [image(3, 1), image(1, 3)] }] }],
    ['images of one pixel', { scale: 1, rows: [{ label: 'r', images: [image(1, 1), image(1, 1)] }] }],
    [
      'no text, two sizes',
      { title: '', caption: '', columns: ['', ''], rows: [{ label: '', images: [image(8, 8), image(5, 9)] }] },
    ],
  ])('keeps everything inside and apart: %s', (_, over) => {
    const { layout, context } = draw(sheet(over));
    const boxes = [...context.texts, ...context.images];
    for (const { what, left, right, top, bottom } of boxes) {
      expect(left >= 8 && top >= 8 && right <= layout.width - 8 && bottom <= layout.height - 8, what).toBe(true);
    }
    for (const [index, a] of boxes.entries()) {
      for (const b of boxes.slice(index + 1)) {
        const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
        expect(apart, `${a.what} | ${b.what}`).toBe(true);
      }
    }
    expect(Number.isInteger(layout.width) && Number.isInteger(layout.height)).toBe(true);
    for (const { left, top } of context.images) expect(Number.isInteger(left) && Number.isInteger(top)).toBe(true);
  });

  it('loses no word of any text', () => {
    const given = sheet();
    const { context } = draw(given);
    const expected = [given.title, given.caption, ...given.columns, ...given.rows.map(({ label }) => label)];
    const wordsOf = (texts: readonly string[]): string[] => texts.flatMap((text) => text.split(/\s+/)).sort();
    expect(wordsOf(context.texts.map(({ what }) => what))).toEqual(wordsOf(expected));
    expect(context.texts.length).toBeGreaterThan(expected.length); // some were wrapped
  });

  it('fills the whole canvas first', () => {
    const { layout, context } = draw(sheet());
    expect(context.rectangles[0]).toMatchObject({ left: 0, top: 0, right: layout.width, bottom: layout.height });
  });

  it('makes each pixel a square', () => {
    const rows = [{ label: 'row', images: [image(2, 1), image(2, 1, 100)] }];
    const { context } = draw(sheet({ rows, scale: 3 }));
    const sizes = context.images.map(({ left, right, top, bottom }) => [right - left, bottom - top]);
    expect(sizes).toEqual([
      [6, 3],
      [6, 3],
    ]);
    const line = [...[0, 1, 2, 3], ...[0, 1, 2, 3], ...[0, 1, 2, 3], ...[4, 5, 6, 7], ...[4, 5, 6, 7], ...[4, 5, 6, 7]];
    expect([...(context.images[0]?.data ?? [])]).toEqual([...line, ...line, ...line]);
    expect([...(context.images[1]?.data ?? [])]).toEqual([...line, ...line, ...line].map((byte) => byte + 100));
  });

  it('refuses ragged rows and broken scales', () => {
    const rows = [{ label: 'short', images: [] }];
    expect(() => draw(sheet({ rows }))).toThrow(/Row 'short' has 0 images for 2 columns/);
    expect(() => draw(sheet({ scale: 1.5 }))).toThrow(/whole number/);
  });
});
