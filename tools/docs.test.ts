import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { describe, expect, it, vi } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { COMMANDS } from '../src/cli/commands/index';
import { parseCommandLine } from '../src/cli/commandLine';
import * as purposes from '../src/data/purposes';
import { flagsOf, HEADINGS, OPTION_LIST, SECTION_HEADINGS, type Flag } from '../src/imae/config/options';
import { STUDIES } from '../src/imae/studies/index';

/*
 * The documentation is held to the code: links and paths lead somewhere, commands and imports are there, and docs/options.md
 * says of every option what the code says. After a change of an option, this file with vitest's -u writes its tables anew.
 */

const README_LINES = 150;

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...markdownIn('docs'),
  ...markdownIn('examples'),
  'kernels-test/oracle/README.md',
];
const textOf = (path: string): string => readFileSync(path, 'utf8');

function markdownIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.md')).map((file) => `${folder}/${file}`);
}

/** The page without its blocks of code. */
function prose(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '');
}

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  );
}

/** Anchors of a page's headings, as GitHub makes them. */
function anchorsOf(text: string): Set<string> {
  const titles = [...prose(text).matchAll(/^#+ (.+)$/gm)].map((match) => match[1] ?? '');
  return new Set(
    titles.map((title) =>
      title
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Where links and pictures of a page lead: those inside the repository, from its root. */
function targetsOf(page: string): { readonly shown: string; readonly path: string; readonly anchor: string }[] {
  const text = prose(textOf(page)).replace(/`[^`\n]*`/g, '');
  const shown = [...text.matchAll(/\]\(([^)\s]+)\)|<img[^>]* src="([^"]+)"/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  );
  return shown
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = '', anchor = ''] = target.split('#');
      return { shown: target, path: path === '' ? page : normalize(join(dirname(page), path)), anchor };
    });
}

describe('README.md', () => {
  it(`has at most ${README_LINES} lines`, () => {
    expect(textOf('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(README_LINES);
  });
});

describe('pictures', () => {
  it('are all shown', () => {
    const shown = new Set(pages.flatMap((page) => targetsOf(page).map(({ path }) => path)));
    const pictures = readdirSync('docs/pictures').map((name) => `docs/pictures/${name}`);
    expect(pictures.filter((path) => !shown.has(path))).toEqual([]);
  });
});

describe.each(pages)('%s', (page) => {
  const text = textOf(page);

  it('links to files that there are', () => {
    const wrong = targetsOf(page).filter(({ path }) => !existsSync(path));
    expect(wrong.map(({ shown }) => shown)).toEqual([]);
  });

  it('links to headings that there are', () => {
    const wrong = targetsOf(page).filter(
      ({ path, anchor }) => anchor !== '' && existsSync(path) && !anchorsOf(textOf(path)).has(anchor),
    );
    expect(wrong.map(({ shown }) => shown)).toEqual([]);
  });

  // X, NAME and * stand for whatever there is.
  it('names paths that there are', () => {
    const code = [...text.matchAll(/`([^`\n]+)`/g)].flatMap((match) => (match[1] ?? '').split(' '));
    const paths = code.filter((word) => /^(src|shaders|kernels-test|bench|docs|tools|examples)\//.test(word));
    const named = paths.filter((path) => !/\b(X|NAME)\b|[*…{]/.test(path));
    expect(named.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('names scripts that package.json has', () => {
    const scripts = [...text.matchAll(/\bnpm run ([\w:-]+)/g)].map((match) => match[1] ?? '');
    expect(scripts.filter((name) => !(name in packageJson.scripts))).toEqual([]);
  });

  it('shows TypeScript that parses, and imports what there is', () => {
    const wrong = blocks(text, 'ts').flatMap((code) => {
      const { diagnostics = [] } = ts.transpileModule(code, { reportDiagnostics: true });
      const messages = diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
      return [
        ...messages,
        ...importsOf(code)
          .filter(({ from, name }) => !exports(from, name))
          .map(nameOfImport),
      ];
    });
    expect(wrong).toEqual([]);
  });
});

/** Flags of other programs, which the pages call. */
const FOREIGN =
  /^(bundle|format|loader|outfile|platform|packages|ignore-scripts|prefix|config|configLoader|tags-filter|repo-type|local-dir|logdir)$/;

describe('flags', () => {
  it('that the pages name are those of training, its commands, or a program of their own', async () => {
    const log = vi.spyOn(console, 'log').mockReturnValue();
    for (const command of COMMANDS) await command.run(['--help']);
    const helps = [parseCommandLine(['--help']).answer, ...log.mock.calls.flat().map(String)];
    log.mockRestore();
    helps.push(
      ...['src/cli/benchMain.ts', 'src/cli/compareMain.ts', 'tools/isa/isaMain.ts', 'src/cli/kernelTestsMain.ts'].map(
        textOf,
      ),
    );
    const known = new Set(helps.flatMap((text = '') => flagsIn(text)));
    const unknown = pages.flatMap((page) => flagsIn(textOf(page)).map((flag) => `${page}: --${flag}`));
    const isKnown = (flag: string): boolean =>
      known.has(flag) || known.has(flag.replace(/^no-/, '')) || FOREIGN.test(flag);
    expect(unknown.filter((line) => !isKnown(line.split('--')[1] ?? ''))).toEqual([]);
  });
});

function flagsIn(text: string): string[] {
  return [...text.matchAll(/(?<![\w<!-])--(?:\[no-\])?([a-z][\w-]*)/gi)].map((match) => match[1] ?? '');
}

describe('lists', () => {
  const words = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1] ?? '');
  const cells = (page: string): string[] => words(textOf(page), /^\| `([^`]+)` \|/gm);

  it.each([
    ['docs/architecture.md', 'every room', roomsOfSource()],
    ['docs/randomness.md', 'every purpose', Object.keys(purposes)],
    ['docs/evaluation.md', 'every study', STUDIES.map(({ name }) => name)],
    ['docs/operations.md', 'every operation', publicOperations()],
  ])('%s has %s', (page, _, names) => {
    expect(names.filter((name) => !cells(page).includes(name))).toEqual([]);
  });

  it('docs/engine.md has every code of an error', () => {
    const codes = words(textOf('src/gpu/errors.ts'), /^ {2}\| '([\w-]+)'/gm);
    expect(codes.filter((code) => !textOf('docs/engine.md').includes(`\`${code}\``))).toEqual([]);
  });

  it('docs/kernels.md has every directive', () => {
    const directives = words(textOf('src/gpu/shader.ts'), /^ \* {3}(\/\/#\w+)/gm);
    expect(directives.filter((directive) => !textOf('docs/kernels.md').includes(`\`${directive}`))).toEqual([]);
  });
});

function roomsOfSource(): string[] {
  const entries = readdirSync('src', { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && entry.name !== 'testing').map(({ name }) => name);
}

interface Import {
  readonly from: string;
  readonly name: string;
}

const nameOfImport = ({ from, name }: Import): string => `${name} from ${from}`;

/** What code imports by name from files of the repository, whose paths it states from the root. */
function importsOf(code: string): Import[] {
  return parsed('block.ts', code).statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) return [];
    const from = statement.moduleSpecifier.text;
    const names = statement.importClause?.namedBindings;
    if (!from.startsWith('.') || !names || !ts.isNamedImports(names)) return [];
    return names.elements.map((element) => ({ from, name: (element.propertyName ?? element.name).text }));
  });
}

/** The operations that src/index.ts exports. */
function publicOperations(): string[] {
  const lists = textOf('src/index.ts').matchAll(/^export \{([^}]*)\} from '\.\/ops\/(?!defineOperation)/gm);
  return [...lists].flatMap((match) => (match[1] ?? '').split(',').flatMap((name) => name.trim() || []));
}

/** Whether a file of the repository exports a name, itself or by `export … from`. */
function exports(from: string, name: string): boolean {
  const path = [`${from}.ts`, join(from, 'index.ts'), from].find((file) => file.endsWith('.ts') && existsSync(file));
  if (path === undefined) return false;
  return parsed(path, textOf(path)).statements.some((statement) => {
    if (ts.isExportDeclaration(statement)) {
      const { exportClause: clause, moduleSpecifier: source } = statement;
      if (clause) return ts.isNamedExports(clause) && clause.elements.some((element) => element.name.text === name);
      return (
        source !== undefined && ts.isStringLiteral(source) && exports(`./${join(dirname(path), source.text)}`, name)
      );
    }
    if (!ts.canHaveModifiers(statement)) return false;
    const isExported = ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
    return isExported && declaredNames(statement).includes(name);
  });
}

function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  }
  const { name } = statement as ts.Statement & { readonly name?: ts.Identifier };
  return name ? [name.text] : [];
}

function parsed(path: string, code: string): ts.SourceFile {
  return ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true);
}

describe('docs/options.md', () => {
  const path = 'docs/options.md';
  const page = textOf(path);
  const START = 'see tools/docs.test.ts. -->\n';
  const END = '<!-- end of the tables -->';
  const { answer: help = '' } = parseCommandLine(['--help']);

  /** What belongs to the command line alone, by its heading. Its text is that of the help, without the value in brackets. */
  const besides: Readonly<Record<string, readonly string[]>> = {
    Data: ['preset', 'config'],
    'Run folder': ['out', 'resume'],
    Other: ['profile', 'debug-numbers', 'dry-run', 'debug', 'version', 'help'],
  };

  const row = (flag: string, text: string): string => `| \`${flag.replaceAll('|', '\\|')}\` | ${text} |`;

  function rowOf({ name, help: text, option }: Flag): string {
    const { placeholder } = option.kind;
    return row(placeholder ? `--${name} ${placeholder}` : `--[no-]${name}`, text);
  }

  /** The row of an option that only the help knows. */
  function rowOfHelp(name: string): string {
    const match = new RegExp(`^ {2}(?:-h, )?(--${name}(?: [A-Z]+)?) {2,}((?:.+\\n)(?: {20,}.+\\n)*)`, 'm').exec(help);
    const text = match?.[2]
      ?.replace(/\s+/g, ' ')
      .replace(/ \[[^\]]*\] ?$/, '')
      .trim();
    return row(match?.[1] ?? name, name === 'help' ? 'show every option with its value in each preset' : (text ?? ''));
  }

  function tables(): string {
    const flags = OPTION_LIST.flatMap(flagsOf);
    const sections = [...HEADINGS, 'Other'].map((heading) => {
      const own = flags.filter(({ section, option }) => (option.heading ?? SECTION_HEADINGS[section]) === heading);
      const rows = [...(besides[heading] ?? []).map(rowOfHelp), ...own.map(rowOf)];
      return `## ${heading}\n\n| option | |\n|---|---|\n${rows.join('\n')}\n`;
    });
    return `\n${sections.join('\n')}\n`;
  }

  it('says of every option what the code says', async () => {
    const [before = '', rest = ''] = page.split(START);
    const wanted = before + START + tables() + rest.slice(rest.indexOf(END));
    await expect(wanted).toMatchFileSnapshot(join('..', path));
  });

  it('has the options that the help has, and no others', () => {
    const inHelp = [...help.matchAll(/^ {2}(?:-h, )?--(\[no-\])?([a-z-]+)/gm)].map((match) => match[2]);
    const inPage = [...page.slice(0, page.indexOf(END)).matchAll(/^\| `--(\[no-\])?([a-z-]+)/gm)].map(
      (match) => match[2],
    );
    expect(inPage.toSorted()).toEqual(inHelp.toSorted());
  });
});
