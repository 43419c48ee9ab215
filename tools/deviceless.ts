import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What a test calls that opens a device, a browser or another program. A file of tests that calls none of these has no way
 * to a device: helpers of tests are given their engine. A test that finds another way is tagged `device`.
 */
const OPENS =
  /\b(openEngine|testEngine|openEngineOn|requestAdapter|spawnTrain|useBrowser|openBrowser|servePage|examineAdapters|spawn|spawnSync|execFile|execFileSync)\(/;

/** Test files that need no device. All tests of kernels need one. */
export function deviceless(): string[] {
  const files = ['src', 'tools'].flatMap((room) =>
    readdirSync(room, { recursive: true, encoding: 'utf8' }).map((path) => join(room, path)),
  );
  return files.filter((path) => path.endsWith('.test.ts') && !OPENS.test(readFileSync(path, 'utf8')));
}
