/* Places of an image's patches, numbered row by row from 0. */

/** `row 2, column 3`; with `hidden` behind it where the patch is. */
export function placeName(place: number, grid: number, hidden = false): string {
  return `row ${Math.floor(place / grid) + 1}, column ${(place % grid) + 1}${hidden ? ', hidden' : ''}`;
}

/** Where a key leads from a place in a grid of `grid` × `grid`; undefined where the key leads nowhere. */
export function placeByKey(place: number, grid: number, key: string): number | undefined {
  const [row, column] = [Math.floor(place / grid), place % grid];
  const last = grid - 1;
  switch (key) {
    case 'ArrowLeft':
      return column > 0 ? place - 1 : place;
    case 'ArrowRight':
      return column < last ? place + 1 : place;
    case 'ArrowUp':
      return row > 0 ? place - grid : place;
    case 'ArrowDown':
      return row < last ? place + grid : place;
    case 'Home':
      return row * grid;
    case 'End':
      return row * grid + last;
    default:
      return undefined;
  }
}

/** Of some places the one nearest to the centre of the image, where pictures have something to show. */
export function nearestToCentre(places: Iterable<number>, grid: number): number {
  const centre = (grid - 1) / 2;
  const distance = (place: number): number => Math.hypot(Math.floor(place / grid) - centre, (place % grid) - centre);
  return [...places].reduce((nearest, place) => (distance(place) < distance(nearest) ? place : nearest));
}
