import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

function doctor(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): { status: number | null; out: string; err: string } {
  const options = {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', COLUMNS: '80', ...env },
  } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/run.js', 'doctor', ...args], options);
  return { status, out: stdout, err: stderr };
}

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('npm run doctor', () => {
  it('checks the adapters of this machine', () => {
    const { status, out, err } = doctor();
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(/^Machine\n {2}ok {7}Node\.js /);
    expect(out).toMatch(/SwiftShader of the npm packages/);
    expect(out).toMatch(/check {4}computes right: error \d\.\de-\d+ \(limit 1e-5\)/);
    expect(out).toMatch(/<- node train\.js/);
    expect(out).toMatch(/\nVerdict\n.*node train\.js uses /);
  });

  it('goes on where a driver does not load', () => {
    const folder = mkdtempSync(join(tmpdir(), 'palimpsest-doctor-'));
    try {
      // A library that opens, and is no driver.
      const file = join(folder, 'bad.json');
      writeFileSync(
        file,
        JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: 'libc.so.6', api_version: '1.3.0' } }),
      );
      const { status, out } = doctor([], { VK_DRIVER_FILES: file });
      expect(status).toBe(0);
      expect(out).toMatch(/SwiftShader of the npm packages\s+<- node train\.js/);
      expect(out).toContain('unset VK_DRIVER_FILES');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('fails where nothing can train', () => {
    const folder = mkdtempSync(join(tmpdir(), 'palimpsest-doctor-'));
    try {
      writeFileSync(join(folder, 'file'), '');
      const nowhere = join(folder, 'file');
      const { status, out } = doctor([], {
        VK_DRIVER_FILES: '/dev/null',
        XDG_CACHE_HOME: nowhere,
        HOME: nowhere,
        TMPDIR: nowhere,
      });
      expect(status).toBe(1);
      expect(out).toContain('Nothing here can train');
      expect(out).toContain('export XDG_CACHE_HOME=/FOLDER');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('hears nothing from Dawn where no driver can be there', () => {
    expect(doctor(['--list'], { VK_DRIVER_FILES: '/nope.json' })).toEqual({
      status: 0,
      out: '{"names":[]}\n',
      err: '',
    });
  });

  it('takes no arguments', () => {
    const { status, err } = doctor(['--adaptor']);
    expect(status).toBe(2);
    expect(err).toMatch(/^Unknown option '--adaptor'\.\n\nUsage: npm run doctor/);
  });
});
