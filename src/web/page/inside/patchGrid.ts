import { element } from '../../components/dom';
import { placeByKey, placeName } from './places';

/** An image's patches over its picture, one of which is chosen by a click or by arrow keys. */
export class PatchGrid {
  readonly element: HTMLElement;
  private readonly canvas = element('canvas', { 'aria-hidden': 'true' });
  private readonly cells = element('div', { class: 'cells', role: 'grid', 'aria-label': 'Patches of the mixture' });
  private places: HTMLButtonElement[] = [];
  private grid = 0;
  /** The one that the keyboard comes to. */
  private current = 0;

  constructor(private readonly onChoose: (place: number) => void) {
    this.element = element('div', { class: 'patch-grid' }, this.canvas, this.cells);
  }

  /** @param grid patches a side */
  layOut(grid: number): void {
    if (grid === this.grid) return;
    this.grid = grid;
    this.current = 0;
    this.places = Array.from({ length: grid * grid }, (_, place) =>
      element('button', {
        type: 'button',
        role: 'gridcell',
        tabindex: place === 0 ? 0 : -1,
        onclick: () => this.choose(place),
        onkeydown: (event) => this.move(place, event as KeyboardEvent),
      }),
    );
    this.cells.style.setProperty('--grid', String(grid));
    this.cells.replaceChildren(
      ...Array.from({ length: grid }, (_, row) =>
        element('div', { role: 'row' }, this.places.slice(row * grid, (row + 1) * grid)),
      ),
    );
  }

  /** @param hidden [L] which patches the model does not see */
  show(picture: ImageData, hidden: readonly boolean[]): void {
    [this.canvas.width, this.canvas.height] = [picture.width, picture.height];
    this.canvas.getContext('2d')?.putImageData(picture, 0, 0);
    for (const [place, cell] of this.places.entries()) {
      const isHidden = hidden[place] === true;
      cell.classList.toggle('hidden', isHidden);
      cell.setAttribute('aria-label', placeName(place, this.grid, isHidden));
    }
  }

  /** @param place none: no patch is chosen */
  setChosen(place: number | undefined): void {
    for (const [each, cell] of this.places.entries()) cell.setAttribute('aria-selected', String(each === place));
    if (place !== undefined) this.comeTo(place);
  }

  private comeTo(place: number): void {
    const before = this.places[this.current];
    if (before) before.tabIndex = -1;
    this.current = place;
    const now = this.places[place];
    if (now) now.tabIndex = 0;
  }

  private choose(place: number): void {
    this.setChosen(place);
    this.onChoose(place);
  }

  private move(from: number, event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const to = placeByKey(from, this.grid, event.key);
    if (to === undefined) return;
    event.preventDefault();
    this.choose(to);
    this.places[to]?.focus();
  }
}
