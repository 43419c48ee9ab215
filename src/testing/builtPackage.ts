import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { buildPackageIfStale } from '../../tools/package';

/* What tests of the package share: the tarball, installed in a folder as npm does it, and what bundlers make of it. */

const root = join(import.meta.dirname, '..', '..');

/** A folder in which somebody has installed the package. */
export interface Consumer {
  readonly folder: string;
  readonly tarball: string;
  /** Of the installed package. */
  readonly packageFolder: string;
  /** Writes a file, and returns its path. */
  write(name: string, content: string): string;
  remove(): void;
}

/**
 * Packs the package and unpacks it into an empty folder's node_modules.
 *
 * @param besides packages that are installed beside it: links to those of the repository
 */
export async function installedPackage(besides: readonly string[] = []): Promise<Consumer> {
  await buildPackageIfStale();
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-package-'));
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], { cwd: root });
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string };
  const tarball = join(folder, `palimpsest-${version}.tgz`);
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  execFileSync('tar', ['-xzf', tarball, '-C', modules]);
  renameSync(join(modules, 'package'), join(modules, 'palimpsest'));
  // As npm links what `bin` names.
  mkdirSync(join(modules, '.bin'));
  chmodSync(join(modules, 'palimpsest', 'train.js'), 0o755);
  symlinkSync('../palimpsest/train.js', join(modules, '.bin', 'palimpsest'));
  for (const name of besides) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  const write = (name: string, content: string): string => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  };
  write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  return { folder, tarball, packageFolder: join(modules, 'palimpsest'), write, remove };
}

/** What a bundler makes of a file's text: minified, for browsers. */
export async function bundled({ folder }: Consumer, code: string, minify = true): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: folder, loader: 'ts' },
    bundle: true,
    minify,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}

/** Bytes of a text packed by gzip. */
export function gzipBytes(text: string): number {
  return gzipSync(text, { level: 9 }).length;
}

/** The README's program for users of the package. */
export function readmeProgram(): string {
  const blocks = readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm);
  const found = [...blocks].map((match) => match[1] ?? '').find((code) => code.includes("from 'palimpsest'"));
  if (found === undefined) throw new Error('README.md has no program that imports palimpsest.');
  return found;
}

/** The files that a module of the package is made of: itself, and what it imports statically. */
export function chunksOf({ packageFolder }: Consumer, entry: string): Map<string, string> {
  const chunks = new Map<string, string>();
  const visit = (file: string): void => {
    if (chunks.has(file)) return;
    const path = join(packageFolder, 'dist', 'package', file);
    if (!existsSync(path)) throw new Error(`${path} is missing.`);
    const text = readFileSync(path, 'utf8');
    chunks.set(file, text);
    for (const [, name = ''] of text.matchAll(/(?:from|import\() ?"\.\/([^"]+)"/g)) visit(name);
  };
  visit(entry);
  return chunks;
}
