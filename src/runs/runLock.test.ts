import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { RunLock } from './runLock';

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
const file = join(base, '.lock');
beforeEach(() => rmSync(file, { force: true }));
afterAll(() => rmSync(base, { recursive: true }));

test('leaves nothing behind', () => {
  RunLock.acquire(base).release();
  expect(readdirSync(base)).toEqual([]);
});

test('is not released by a holder that has lost it', () => {
  const lost = RunLock.acquire(base);
  writeFileSync(file, '{"pid":1,"host":"elsewhere"}');
  lost.release();
  expect(readFileSync(file, 'utf8')).toContain('elsewhere');
});

test(
  'is taken over from a process that has ended without anybody noticing',
  { skip: process.platform !== 'linux' },
  async () => {
    // A shell that becomes a program which never asks how its child ended: the child stays as a zombie.
    const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const pid = Number(
        await new Promise<string>((resolve) => parent.stdout.once('data', (text: Buffer) => resolve(String(text)))),
      );
      const lock = RunLock.acquire(base);
      const mine = JSON.parse(readFileSync(file, 'utf8')) as object;
      lock.release();
      const state = (): string[] => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ');
      const held = JSON.stringify({ ...mine, pid, began: state()[21] });
      writeFileSync(file, held);
      expect(() => RunLock.acquire(base)).toThrow(`another process (${pid})`);
      await expect.poll(() => state()[2], { timeout: 10_000 }).toBe('Z');
      writeFileSync(file, held);
      RunLock.acquire(base).release();
    } finally {
      parent.kill();
    }
  },
);
