const texts = import.meta.glob<string>('./**/*.wgsl', { eager: true, import: 'default' });

/** The text of every shader file, by its path without `.wgsl`: `gelu`, `attention/plain`. */
export const shaders: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(texts).map(([path, text]) => [path.slice('./'.length, -'.wgsl'.length), text]),
);

/** The text of every kernel's file, and of every family's files one after the other: `gelu`, `attention`. */
export const families: Readonly<Record<string, string>> = byFamily();

function byFamily(): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [path, text] of Object.entries(shaders)) {
    const [family = '', file] = path.split('/');
    texts[family] = file === undefined ? text : `${texts[family] ?? ''}// ${path}.wgsl\n${text}\n`;
  }
  return texts;
}
