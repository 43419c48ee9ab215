import { constants } from 'node:fs';
import { access, chmod, lstat, mkdir } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/** The places for a cache, the best first. */
export function cacheFolders(): { readonly path: string; readonly shared: boolean }[] {
  const own = [process.env['XDG_CACHE_HOME'], homeCache()].filter((path) => path !== undefined);
  return [
    ...own.filter(isAbsolute).map((path) => ({ path: join(path, 'palimpsest'), shared: false })),
    { path: join(tmpdir(), `palimpsest-${process.getuid?.() ?? 'user'}`), shared: true },
  ];
}

function homeCache(): string | undefined {
  try {
    return join(homedir(), '.cache');
  } catch {
    return undefined; // a user without an entry in passwd
  }
}

/** Everyone can write to the temporary folder: what is used is only what nobody else could have put there. */
export async function claim(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const stat = await lstat(path);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) throw new Error(`${path} belongs to someone else.`);
  await chmod(path, 0o700);
}

/** The first of the places for a cache that this process may write to; undefined where there is none. */
export async function writableCache(): Promise<string | undefined> {
  for (const { path } of cacheFolders()) if (await mayWrite(path)) return path;
  return undefined;
}

/** Whether a folder can be written to, or made. */
async function mayWrite(folder: string): Promise<boolean> {
  if (!(await exists(folder))) return dirname(folder) !== folder && (await mayWrite(dirname(folder)));
  return access(folder, constants.W_OK).then(
    async () => (await lstat(folder)).isDirectory(),
    () => false,
  );
}

/** Whether a file or folder can be seen. */
export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
