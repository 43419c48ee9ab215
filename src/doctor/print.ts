import { styleText } from 'node:util';
import { hanging } from '../common/textWrap';
import type { Finding, Mark, Report } from './report';

export interface PrintOptions {
  readonly color: boolean;
  readonly columns: number;
}

/** Yellow can't be read on white. */
const COLORS = { ok: 'green', warning: 'magenta', missing: 'red', broken: 'red' } as const;
/** Two spaces, the longest mark, two spaces. */
const INDENT = 11;

/** The report as text. Commands are never broken: they are there to be copied. */
export function printReport({ sections, verdict, fixes }: Report, options: PrintOptions): string {
  const title = (text: string): string => (options.color ? style('bold', text) : text);
  const blocks = sections.map((section) => [
    title(section.title),
    ...section.findings.flatMap((finding) => printFinding(finding, options)),
  ]);
  blocks.push([title('Verdict'), ...printFinding(verdict, options)]);
  if (fixes.length > 0) {
    const items = fixes.flatMap(({ title: text, commands }, index) => [
      ...hanging(`  ${index + 1}. `, text, options.columns),
      ...commands.map((command) => `       ${options.color ? style('cyan', command) : command}`),
    ]);
    blocks.push([title('To mend'), ...items]);
  }
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function printFinding({ mark, text, details = [] }: Finding, { color, columns }: PrintOptions): string[] {
  const lead = `  ${mark.padEnd(INDENT - 4)}  `;
  const [first = '', ...rest] = hanging(lead, text, columns);
  const colored = color ? first.replace(mark, (word) => style(COLORS[word as Mark], word)) : first;
  return [colored, ...rest, ...details.flatMap((detail) => hanging(' '.repeat(INDENT), detail, columns))];
}

/** Whether there is colour was decided before: not again by what standard output is. */
function style(format: Parameters<typeof styleText>[0], text: string): string {
  return styleText(format, text, { validateStream: false });
}
