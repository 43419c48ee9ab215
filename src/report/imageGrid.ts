/*
 * A sheet of small images in labelled rows and columns, drawn on any 2-D canvas: a browser's, an offscreen one, or one
 * in Node. Laying out and drawing are two steps, since a canvas must have its size before it is drawn on, and the size
 * follows from the measured text.
 */

/** What is used of a `CanvasRenderingContext2D` or its like. */
export interface GridContext {
  font: string;
  fillStyle: unknown;
  textAlign: CanvasTextAlign;
  textBaseline: CanvasTextBaseline;
  measureText(text: string): { readonly width: number };
  fillText(text: string, x: number, y: number): void;
  fillRect(x: number, y: number, width: number, height: number): void;
  createImageData(width: number, height: number): CanvasPixels;
  putImageData(image: CanvasPixels, x: number, y: number): void;
}

/** What is used of an `ImageData`. */
interface CanvasPixels {
  readonly width: number;
  readonly height: number;
  readonly data: { [byte: number]: number };
}

/** Pixels as RGBA, row by row. */
export interface GridImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** Pictures in rows, side by side. */
export interface ImageGrid {
  readonly title: string;
  readonly caption: string;
  readonly columns: readonly string[];
  /** Each row has an image for every column. */
  readonly rows: readonly { readonly label: string; readonly images: readonly GridImage[] }[];
  /** Canvas pixels per image pixel, a whole number: pixels stay sharp squares. */
  readonly scale: number;
}

interface TextBlock {
  readonly lines: readonly string[];
  readonly style: TextStyle;
  readonly align: CanvasTextAlign;
  readonly x: number;
  readonly top: number;
}

interface PlacedImage {
  readonly image: GridImage;
  readonly x: number;
  readonly y: number;
}

/** Where everything goes, in canvas pixels. */
export interface GridLayout {
  readonly width: number;
  readonly height: number;
  readonly scale: number;
  readonly texts: readonly TextBlock[];
  readonly images: readonly PlacedImage[];
}

interface TextStyle {
  readonly font: string;
  readonly lineHeight: number;
  readonly colour: string;
}

/** The family to register the project's fonts under; without it, what the canvas has is used. */
export const SHEET_FONT = 'Palimpsest Sans';
const FAMILY = `"${SHEET_FONT}", "DejaVu Sans", sans-serif`;
const TITLE: TextStyle = { font: `bold 19px ${FAMILY}`, lineHeight: 27, colour: '#1f2328' };
const HEADING: TextStyle = { font: `12px ${FAMILY}`, lineHeight: 16, colour: '#1f2328' };
const LABEL: TextStyle = { font: `bold 13px ${FAMILY}`, lineHeight: 18, colour: '#1f2328' };
const CAPTION: TextStyle = { font: `12px ${FAMILY}`, lineHeight: 18, colour: '#57606a' };
const BACKGROUND = '#fcfbf8';
const FRAME = '#c9c5bc';

const MARGIN = 28;
const GAP = 12;
/** A row label is wrapped beyond this width. */
const LABEL_WIDTH = 150;

/** Breaks text at spaces so that each line fits, as far as its longest word allows. A line break in it stays one. */
function wrap(context: GridContext, text: string, { font }: TextStyle, width: number): string[] {
  context.font = font;
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ').filter((each) => each !== '')) {
      const longer = line === '' ? word : `${line} ${word}`;
      if (line !== '' && context.measureText(longer).width > width) {
        lines.push(line);
        line = word;
      } else {
        line = longer;
      }
    }
    return line === '' ? lines : [...lines, line];
  });
}

function widest(context: GridContext, texts: readonly string[], { font }: TextStyle): number {
  context.font = font;
  return Math.ceil(Math.max(0, ...texts.map((text) => context.measureText(text).width)));
}

/**
 * Places a sheet's texts and images. `context` only measures text, so any canvas with the right fonts will do. Columns
 * grow where a word of a heading is wider than the images, so nothing is cut off.
 *
 * @throws RangeError where a row has no image for every column, or the scale is no whole number
 */
export function layoutPanels(context: GridContext, sheet: ImageGrid): GridLayout {
  const { title, caption, columns, rows, scale } = sheet;
  if (!Number.isInteger(scale) || scale < 1) {
    throw new RangeError(`Panels are enlarged by a whole number, not ${scale}.`);
  }
  for (const { label, images } of rows) {
    if (images.length === columns.length) continue;
    throw new RangeError(`Row '${label}' has ${images.length} images for ${columns.length} columns.`);
  }
  const words = (texts: readonly string[]): string[] => texts.flatMap((text) => text.split(/\s+/));
  const all = rows.flatMap(({ images }) => images);
  const cellWidth = Math.max(widest(context, words(columns), HEADING), ...all.map((image) => image.width * scale));
  const cellHeight = Math.max(0, ...all.map((image) => image.height * scale));

  const labels = rows.map(({ label }) => wrap(context, label, LABEL, LABEL_WIDTH));
  const labelWidth = widest(context, labels.flat(), LABEL);
  const gridX = MARGIN + (labelWidth > 0 ? labelWidth + GAP : 0);
  const gridWidth = columns.length * (cellWidth + GAP) - GAP;
  const innerWidth = Math.max(
    gridX - MARGIN + gridWidth,
    widest(context, words([title]), TITLE),
    widest(context, words([caption]), CAPTION),
  );

  const texts: TextBlock[] = [];
  let y = MARGIN;
  const place = (lines: readonly string[], style: TextStyle, align: CanvasTextAlign, x: number, top: number): void => {
    if (lines.length > 0) texts.push({ lines, style, align, x, top });
  };
  const titleLines = wrap(context, title, TITLE, innerWidth);
  place(titleLines, TITLE, 'left', MARGIN, y);
  if (titleLines.length > 0) y += titleLines.length * TITLE.lineHeight + GAP;

  const columnX = (column: number): number => gridX + column * (cellWidth + GAP);
  const headings = columns.map((column) => wrap(context, column, HEADING, cellWidth));
  const headingLines = Math.max(0, ...headings.map((lines) => lines.length));
  for (const [column, lines] of headings.entries()) {
    const top = y + (headingLines - lines.length) * HEADING.lineHeight;
    place(lines, HEADING, 'center', columnX(column) + cellWidth / 2, top);
  }
  if (headingLines > 0) y += headingLines * HEADING.lineHeight + GAP / 2;

  const images: PlacedImage[] = [];
  for (const [row, { images: panels }] of rows.entries()) {
    const lines = labels[row] ?? [];
    const labelHeight = lines.length * LABEL.lineHeight;
    const height = Math.max(cellHeight, labelHeight);
    place(lines, LABEL, 'right', gridX - GAP, y + (height - labelHeight) / 2);
    for (const [column, image] of panels.entries()) {
      images.push({
        image,
        x: columnX(column) + Math.floor((cellWidth - image.width * scale) / 2),
        y: y + Math.floor((height - image.height * scale) / 2),
      });
    }
    y += height + GAP;
  }

  const captionLines = wrap(context, caption, CAPTION, innerWidth);
  place(captionLines, CAPTION, 'left', MARGIN, y);
  y += captionLines.length > 0 ? captionLines.length * CAPTION.lineHeight : -GAP;
  return { width: innerWidth + 2 * MARGIN, height: y + MARGIN, scale, texts, images };
}

/** Draws a layout on a canvas of its width and height. */
export function drawPanels(context: GridContext, layout: GridLayout): void {
  context.fillStyle = BACKGROUND;
  context.fillRect(0, 0, layout.width, layout.height);
  for (const { lines, style, align, x, top } of layout.texts) {
    context.font = style.font;
    context.fillStyle = style.colour;
    context.textAlign = align;
    context.textBaseline = 'middle';
    for (const [index, line] of lines.entries()) context.fillText(line, x, top + (index + 0.5) * style.lineHeight);
  }
  for (const { image, x, y } of layout.images) {
    const enlarged = enlarge(context, image, layout.scale);
    context.fillStyle = FRAME;
    context.fillRect(x - 1, y - 1, enlarged.width + 2, enlarged.height + 2);
    context.putImageData(enlarged, x, y);
  }
}

/** Every pixel becomes a square. Done here, since canvases differ in how they scale without smoothing. */
function enlarge(context: GridContext, image: GridImage, scale: number): CanvasPixels {
  const enlarged = context.createImageData(image.width * scale, image.height * scale);
  for (let y = 0, to = 0; y < enlarged.height; y++) {
    for (let x = 0; x < enlarged.width; x++, to += 4) {
      const from = (Math.floor(y / scale) * image.width + Math.floor(x / scale)) * 4;
      for (let byte = 0; byte < 4; byte++) enlarged.data[to + byte] = image.data[from + byte] as number;
    }
  }
  return enlarged;
}
