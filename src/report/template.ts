/*
 * A page that holds all its data, so that it opens anywhere: it is built once, as a template with an empty place, and
 * whoever has something to show fills that place.
 */

/** The element of a template that takes the data. */
export const DATA_PLACE = '<script type="application/json" id="data"></script>';

/**
 * A page: the template with the data in its place, as JSON.
 *
 * @throws RangeError where the template does not have exactly one place
 */
export function fillTemplate(template: string, data: object): string {
  const [before, after, ...more] = template.split(DATA_PLACE);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new RangeError(
      `A page's template has ${DATA_PLACE} once, not ${more.length + (after === undefined ? 0 : 1)} times.`,
    );
  }
  // In JSON a < stands in strings only; escaped, none of them can end the element or begin a comment in it.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  return before + DATA_PLACE.replace('><', () => `>${json}<`) + after;
}
