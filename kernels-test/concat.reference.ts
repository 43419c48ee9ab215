import type { Reference } from './allclose';

export function concat(parts: readonly Reference[]): Reference {
  const [, ...inner] = parts[0]?.shape ?? [];
  const data = Float64Array.from(parts.flatMap((part) => Array.from(part.data)));
  return { shape: [parts.reduce((rows, part) => rows + (part.shape[0] ?? 0), 0), ...inner], data };
}

/** The pieces of `whole` that lie where `parts` were put. */
export function split(whole: Reference, parts: readonly Reference[]): Reference[] {
  let offset = 0;
  return parts.map(({ shape, data }) => {
    const piece = { shape, data: whole.data.slice(offset, offset + data.length) };
    offset += data.length;
    return piece;
  });
}
