import { element } from '../../components/dom';
import { colourOf } from '../../components/theme';
import { strength, type HeadMap } from './attention';

/** Canvas pixels of a map's side, about: a whole number of them to a patch. */
const FINE = 168;
/** How much of the ink the picture behind a map has at most, and the colour of the largest weight. */
const FAINT = 0.2;
const FULL = 0.95;
/** Of the stripes over what is hidden, in canvas pixels. */
const STRIPES = { period: 9, width: 2.5 } as const;

const [RED, GREEN, BLUE] = [0.299, 0.587, 0.114];

/** Draws maps over one picture, in the colours of the page as they are when it is made. */
export class MapPainter {
  private readonly colours = {
    ground: colourOf('--card'),
    ink: colourOf('--ink'),
    edge: colourOf('--edge'),
    weight: colourOf('--accent'),
  };
  private readonly cell: number;
  private readonly background: HTMLCanvasElement;

  /**
   * @param grid patches a side
   * @param hidden [L] hatched where a map has nothing to say of them
   */
  constructor(
    picture: ImageData,
    private readonly grid: number,
    private readonly hidden: readonly boolean[],
  ) {
    this.cell = Math.ceil(FINE / grid);
    this.background = this.faint(picture);
  }

  /** Weights of attention, single-hued, up to `top`. @param chosen the place that attends, framed */
  paintWeights(canvas: HTMLCanvasElement, { toPlaces }: HeadMap, top: number, chosen: number | undefined): void {
    const context = this.begin(canvas);
    context.fillStyle = this.colours.weight;
    for (const [place, weight] of toPlaces.entries()) {
      if (Number.isNaN(weight)) continue;
      context.globalAlpha = FULL * strength(weight, top);
      this.fill(context, place);
    }
    context.globalAlpha = 1;
    this.hatch(context, (place) => Number.isNaN(toPlaces[place]));
    if (chosen !== undefined) this.frame(context, chosen);
  }

  /** Any colours of places: none where one is hidden, and hatched. */
  paintColours(
    canvas: HTMLCanvasElement,
    colourAt: (
      place: number,
    ) => { readonly colour: string; readonly strength: number; readonly text?: string } | undefined,
  ): void {
    const context = this.begin(canvas);
    context.font = `${Math.round(this.cell * 0.3)}px ${getComputedStyle(document.body).fontFamily}`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    for (let place = 0; place < this.hidden.length; place++) {
      const found = colourAt(place);
      if (!found) continue;
      context.globalAlpha = FULL * found.strength;
      context.fillStyle = found.colour;
      this.fill(context, place);
      context.globalAlpha = 1;
      context.fillStyle = this.inkOn(found.colour, FULL * found.strength);
      const [left, upper] = this.cornerOf(place);
      if (found.text) context.fillText(found.text, left + this.cell / 2, upper + this.cell / 2);
    }
    this.hatch(context, (place) => this.hidden[place] === true);
  }

  /** Of the page's ink and ground, what is read better on the ground under some of a colour. */
  private inkOn(colour: string, part: number): string {
    const { ink, ground } = this.colours;
    const light = part * lightOf(parse(colour)) + (1 - part) * lightOf(parse(ground));
    const apart = (other: string): number => Math.abs(lightOf(parse(other)) - light);
    return apart(ink) >= apart(ground) ? ink : ground;
  }

  private begin(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const side = this.background.width;
    [canvas.width, canvas.height] = [side, side];
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    context.drawImage(this.background, 0, 0);
    return context;
  }

  private cornerOf(place: number): [number, number] {
    return [(place % this.grid) * this.cell, Math.floor(place / this.grid) * this.cell];
  }

  private fill(context: CanvasRenderingContext2D, place: number): void {
    context.fillRect(...this.cornerOf(place), this.cell, this.cell);
  }

  private frame(context: CanvasRenderingContext2D, place: number): void {
    const [left, upper] = this.cornerOf(place);
    const width = Math.max(3, this.cell / 10);
    context.lineWidth = width;
    context.strokeStyle = this.colours.ink;
    context.strokeRect(left + width / 2, upper + width / 2, this.cell - width, this.cell - width);
  }

  /** One pattern over all of them, so that it stays calm where patches are small. */
  private hatch(context: CanvasRenderingContext2D, isHatched: (place: number) => boolean): void {
    const area = new Path2D();
    for (let place = 0; place < this.hidden.length; place++) {
      if (isHatched(place)) area.rect(...this.cornerOf(place), this.cell, this.cell);
    }
    context.save();
    context.clip(area);
    context.fillStyle = this.colours.ground;
    const side = this.background.width;
    context.fillRect(0, 0, side, side);
    context.strokeStyle = this.colours.edge;
    context.lineWidth = STRIPES.width;
    context.beginPath();
    for (let at = 0; at < 2 * side; at += STRIPES.period) {
      context.moveTo(at, 0);
      context.lineTo(at - side, side);
    }
    context.stroke();
    context.restore();
  }

  /** The picture in a little ink: of its light and dark, what there is less of. */
  private faint({ data, width, height }: ImageData): HTMLCanvasElement {
    const lights = Float64Array.from({ length: width * height }, (_, pixel) =>
      lightOf(data.subarray(pixel * 4, pixel * 4 + 3)),
    );
    let [least, most, sum] = [Infinity, -Infinity, 0];
    for (const light of lights) {
      least = Math.min(least, light);
      most = Math.max(most, light);
      sum += light;
    }
    const range = most - least || 1;
    const isMostlyDark = sum / lights.length - least < range / 2;
    const ink = parse(this.colours.ink);
    const small = new ImageData(width, height);
    for (const [pixel, light] of lights.entries()) {
      const part = (isMostlyDark ? light - least : most - light) / range;
      small.data.set([...ink, Math.round(255 * FAINT * part)], pixel * 4);
    }
    const source = element('canvas', { width, height });
    source.getContext('2d')?.putImageData(small, 0, 0);
    const side = this.cell * this.grid;
    const drawn = element('canvas', { width: side, height: side });
    const context = drawn.getContext('2d') as CanvasRenderingContext2D;
    context.fillStyle = this.colours.ground;
    context.fillRect(0, 0, side, side);
    context.imageSmoothingEnabled = false;
    context.drawImage(source, 0, 0, side, side);
    return drawn;
  }
}

function lightOf([red = 0, green = 0, blue = 0]: ArrayLike<number> & Iterable<number>): number {
  return RED * red + GREEN * green + BLUE * blue;
}

/** #rrggbb */
function parse(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.replace('#', ''), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
