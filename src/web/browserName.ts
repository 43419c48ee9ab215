/** Each browser's own word in its user agent. The first that is there counts: those below are also said by those above. */
const WORDS: readonly (readonly [name: string, version: RegExp])[] = [
  ['Edge', /Edg\/(\d+)/],
  ['Firefox', /Firefox\/(\d+)/],
  ['Chrome', /Chrome\/(\d+)/],
  ['Safari', /Version\/(\d+).* Safari\//],
];

/** A browser and its version, as `Chrome 147`. */
export function describeBrowser(userAgent: string): string {
  for (const [name, version] of WORDS) {
    const found = version.exec(userAgent)?.[1];
    if (found !== undefined) return `${name} ${found}`;
  }
  return 'a browser';
}
