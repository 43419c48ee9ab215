import { element } from '../../components/dom';
import type { ImageSize } from './images';

/** Pixels of a patch that the model does not see: hatched, since a plain colour could be a part of the picture. */
const HATCH = { ground: '#a5a5a5', stripe: '#6e6e6e', width: 3, period: 11 } as const;
/** Canvas pixels of a hatched picture's side, at least: its stripes are finer than its pixels. */
const FINE = 352;
/** A picture of so many pixels a side is smooth enough to be drawn smoothly. */
const SMOOTH = 160;

/** [C, H, W] bytes → what a canvas takes. One channel becomes grey. */
export function toImageData(bytes: Uint8Array | Uint8ClampedArray, { image, channels }: ImageSize): ImageData {
  const plane = image * image;
  const data = new ImageData(image, image);
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let colour = 0; colour < 3; colour++)
      data.data[pixel * 4 + colour] = bytes[(colour % channels) * plane + pixel] ?? 0;
    data.data[pixel * 4 + 3] = 255;
  }
  return data;
}

/** α·one + (1 − α)·two. */
export function blend(one: Uint8Array, two: Uint8Array, alpha: number): Uint8ClampedArray {
  return Uint8ClampedArray.from(one, (value, i) => alpha * value + (1 - alpha) * (two[i] ?? 0));
}

/** A picture with a line of text under it. */
export interface Tile {
  readonly element: HTMLElement;
  /** @param description of what is seen, for those who do not see it */
  show(picture: ImageData, description: string): void;
  /** The same, with patches hatched. @param hidden [L] */
  showHatched(picture: ImageData, patch: number, hidden: readonly boolean[], description: string): void;
  /** Takes the picture away. */
  clear(): void;
  setTitle(title: string): void;
}

/** A square picture, as large as its place. */
export function tile(title: string, ...below: readonly (HTMLElement | undefined)[]): Tile {
  const canvas = element('canvas', { width: 32, height: 32, role: 'img', 'aria-label': `${title}: not there yet` });
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const resize = (side: number): void => {
    if (canvas.width !== side) [canvas.width, canvas.height] = [side, side];
  };
  const heading = element('h3', {}, title);
  const describe = (text: string): void => canvas.setAttribute('aria-label', text);
  return {
    element: element('figure', { class: 'tile' }, canvas, element('figcaption', {}, heading, below)),
    show(picture, description) {
      resize(picture.width);
      canvas.classList.toggle('smooth', picture.width >= SMOOTH);
      context.putImageData(picture, 0, 0);
      canvas.dataset['state'] = 'shown';
      describe(description);
    },
    showHatched(picture, patch, hidden, description) {
      const scale = Math.ceil(FINE / picture.width);
      resize(picture.width * scale);
      canvas.classList.add('smooth');
      context.imageSmoothingEnabled = picture.width >= SMOOTH;
      context.drawImage(plain(picture), 0, 0, canvas.width, canvas.height);
      context.fillStyle = hatching(context) ?? HATCH.ground;
      const [side, grid] = [patch * scale, picture.width / patch];
      for (const [place, isHidden] of hidden.entries()) {
        if (isHidden) context.fillRect((place % grid) * side, Math.floor(place / grid) * side, side, side);
      }
      canvas.dataset['state'] = 'shown';
      describe(description);
    },
    clear() {
      context.clearRect(0, 0, canvas.width, canvas.height);
      delete canvas.dataset['state'];
      describe(`${heading.textContent}: not there yet`);
    },
    setTitle: (text) => (heading.textContent = text),
  };
}

function plain(picture: ImageData): HTMLCanvasElement {
  const canvas = element('canvas', { width: picture.width, height: picture.height });
  canvas.getContext('2d')?.putImageData(picture, 0, 0);
  return canvas;
}

/** Stripes from the lower left to the upper right. */
function hatching(context: CanvasRenderingContext2D): CanvasPattern | null {
  const { ground, stripe, width, period } = HATCH;
  const cell = element('canvas', { width: period, height: period });
  const drawing = cell.getContext('2d') as CanvasRenderingContext2D;
  drawing.fillStyle = ground;
  drawing.fillRect(0, 0, period, period);
  drawing.strokeStyle = stripe;
  drawing.lineWidth = width;
  drawing.beginPath();
  for (const shift of [-period, 0, period]) {
    drawing.moveTo(shift - period, 2 * period);
    drawing.lineTo(shift + 2 * period, -period);
  }
  drawing.stroke();
  return context.createPattern(cell, 'repeat');
}
