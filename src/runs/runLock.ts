import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../common/userError';
import { errorCode } from '../node/failure';

/** Who holds a run folder. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Where the number of the process counts: containers of one host each have a space of their own. */
  readonly space?: string;
  /** When that process began, where the system tells: its number may be another's by now. */
  readonly began?: string;
}

export const LOCK_FILE = '.lock';
const BEAT_SECONDS = 10;
/** A holder whose process can't be looked for from here is taken for gone after this silence. */
const SILENCE_SECONDS = 60;

/**
 * Keeps a run folder for one process: two that write to one run would spoil it. A lock whose process is gone, however it
 * ended, is taken over.
 */
export class RunLock {
  private readonly heart: NodeJS.Timeout;

  private constructor(
    private readonly file: string,
    private readonly text: string,
  ) {
    this.heart = setInterval(() => this.beat(), BEAT_SECONDS * 1000);
    this.heart.unref();
  }

  /** @throws UserError where another process holds the folder */
  static acquire(folder: string): RunLock {
    const file = join(folder, LOCK_FILE);
    const text = JSON.stringify(self());
    while (!createWhole(file, text)) {
      const found = read(file);
      if (found === undefined) continue; // released meanwhile
      assertAbandoned(folder, file, found);
      takeAway(file, found);
    }
    return new RunLock(file, text);
  }

  release(): void {
    clearInterval(this.heart);
    if (read(this.file) === this.text) rmSync(this.file, { force: true });
  }

  private beat(): void {
    try {
      // One that slept too long has lost its lock, and must not keep another's alive.
      if (read(this.file) === this.text) utimesSync(this.file, new Date(), new Date());
    } catch {
      // The folder may be gone; whatever writes to it next says so.
    }
  }
}

function self(): Holder {
  const space = processSpace();
  const began = processState(process.pid)?.began;
  return {
    pid: process.pid,
    host: hostname(),
    ...(space === undefined ? {} : { space }),
    ...(began === undefined ? {} : { began }),
  };
}

/** Makes a file with its content at once. @returns false where there is one */
function createWhole(file: string, text: string): boolean {
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, text);
    return linkNew(draft, file, text);
  } finally {
    rmSync(draft, { force: true });
  }
}

function linkNew(draft: string, file: string, text: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
  }
  try {
    writeFileSync(file, text, { flag: 'wx' }); // a file system without links
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
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
  if (holder?.host === hostname() && holder.space === processSpace()) {
    if (!isRunning(holder)) return;
    throw new UserError(
      `${folder} is being written by another process (${holder.pid}). Wait until it ends, or end it: Ctrl-C there, or ` +
        `\`kill\` with that number, lets it save first. If it is none of this program's, delete ${file}.`,
    );
  }
  const silence = (Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)) / 1000;
  if (silence > SILENCE_SECONDS) return;
  throw new UserError(
    `${folder} is being written by a process ${holder ? `on ${holder.host}` : 'that does not say which'}. ` +
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
  const taken = read(aside);
  if (taken !== undefined && taken !== abandoned) linkNew(aside, file, taken);
  rmSync(aside, { force: true });
}

function parse(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return typeof holder?.pid === 'number' && typeof holder.host === 'string' ? (holder as Holder) : undefined;
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
  const now = processState(pid);
  if (now?.isDead) return false; // it has ended, and nobody has asked for its exit code yet
  return began === undefined || now?.began === began;
}

/** What Linux tells of a process: whether it is done, and when it began, in ticks since the start of the system. */
function processState(pid: number): { readonly isDead: boolean; readonly began: string | undefined } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the 3rd on; the 2nd may hold spaces
    return { isDead: fields[0] === 'Z' || fields[0] === 'X', began: fields[19] };
  } catch {
    return undefined;
  }
}

function processSpace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}
