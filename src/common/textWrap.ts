/** A space that may become the end of a line: none before a unit, or beside another. */
const BREAK = /(?<=\S) (?=\S)(?!(?:[KMG]iB|B|ms|s)\b)/;
/** However narrow the terminal. */
const NARROWEST = 30;

/** Breaks a text between words and where it has lines; all but the first line begin under the first word. */
export function hanging(lead: string, text: string, columns: number): string[] {
  const width = Math.max(columns - lead.length, NARROWEST);
  const lines = text.split('\n').flatMap((paragraph) => wrap(paragraph.trim(), width));
  return lines.map((line, index) => `${index === 0 ? lead : ' '.repeat(lead.length)}${line}`);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(BREAK)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
