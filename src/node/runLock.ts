import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../files/userError';
import { errorCode } from './failure';

/** Who holds a run folder. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When that process began, where the system tells: its number may be another's by now. */
  readonly began?: string;
}

export const LOCK_FILE = '.lock';
const BEAT_SECONDS = 10;
/** A holder on another machine, whose process can't be looked for, is taken for gone after this silence. */
const SILENCE_SECONDS = 60;

/**
 * Keeps a run folder for one process: two that write to one run would spoil it. A lock whose process is gone, however it
 * ended, is taken over.
 */
export class RunLock {
  private readonly heart: NodeJS.Timeout;

  private constructor(private readonly file: string) {
    this.heart = setInterval(() => this.beat(), BEAT_SECONDS * 1000);
    this.heart.unref();
  }

  /** @throws UserError where another process holds the folder */
  static acquire(folder: string): RunLock {
    const file = join(folder, LOCK_FILE);
    const mine = JSON.stringify(self());
    for (;;) {
      try {
        writeFileSync(file, mine, { flag: 'wx' });
        return new RunLock(file);
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error;
      }
      const found = read(file);
      if (found === undefined) continue; // released meanwhile
      assertAbandoned(folder, file, found);
      takeAway(file, found);
    }
  }

  release(): void {
    clearInterval(this.heart);
    rmSync(this.file, { force: true });
  }

  private beat(): void {
    try {
      utimesSync(this.file, new Date(), new Date());
    } catch {
      // The folder may be gone; whatever writes to it next says so.
    }
  }
}

function self(): Holder {
  const began = processBegan(process.pid);
  return { pid: process.pid, host: hostname(), ...(began === undefined ? {} : { began }) };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function assertAbandoned(folder: string, file: string, text: string): void {
  const holder = parse(text);
  if (holder?.host === hostname()) {
    if (!isRunning(holder)) return;
    throw new UserError(
      `${folder} is being written by another process (${holder.pid}). ` +
        'Wait until it ends, or end it: Ctrl-C there, or `kill` with that number, lets it save first.',
    );
  }
  const silence = (Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)) / 1000;
  if (silence > SILENCE_SECONDS) return;
  throw new UserError(
    `${folder} is being written by a process ${holder ? `on ${holder.host}` : 'that is just beginning'}. ` +
      `If that one is gone, try again in a minute, or delete ${file}.`,
  );
}

/** Removes an abandoned lock, and no other: one that somebody else made in its place is put back. */
function takeAway(file: string, abandoned: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return; // somebody else was faster
    throw error;
  }
  if (read(aside) === abandoned) rmSync(aside, { force: true });
  else renameSync(aside, file);
}

function parse(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return undefined;
  }
}

function isRunning({ pid, began }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return false;
  }
  return began === undefined || processBegan(pid) === began;
}

/** Linux tells when a process began, in ticks since the start of the system. */
function processBegan(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]; // the 22nd field; the second may hold spaces
  } catch {
    return undefined;
  }
}
