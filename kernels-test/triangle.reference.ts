import type { Shape } from '../src/tensor/shape';
import { indicesOf, placesOf, type Places } from './stridedCopy.reference';

/** Where the elements of a triangle come from, −1 where it is 0. */
export function triangle(shape: Shape, isKept: (right: number) => boolean): Places {
  const view = placesOf(shape);
  const from = indicesOf(shape).map((index) => {
    const [row = 0, column = 0] = index.slice(-2);
    return isKept(column - row) ? view.get(...index) : -1;
  });
  return { shape, from };
}
