/*
 * What a page remembers of how it is looked at, for as long as its tab is open: a page that was opened as a file comes
 * up to date only by loading itself anew.
 */

const PREFIX = `palimpsest ${location.pathname} `;

/** What was kept under a name, where it is of the same type. */
export function recall<T extends string | number | boolean>(name: string, otherwise: T): T {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PREFIX + name) ?? 'null') as unknown;
    return typeof kept === typeof otherwise ? (kept as T) : otherwise;
  } catch {
    // A browser may forbid storage to files.
    return otherwise;
  }
}

export function keep(name: string, value: string | number | boolean): void {
  try {
    sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Then it is forgotten.
  }
}
