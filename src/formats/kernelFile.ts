/*
 * `kernels.json`: which of several kernels that give the same bits were the fastest on an adapter, as text. A run keeps
 * one, and a cache one for each adapter and driver.
 */

import type { KernelEntries } from '../gpu/autotune';
import { UserError } from '../common/userError';

const FORMAT = 'palimpsest kernel choices 1';

/** What choices hold for. */
export interface KernelPlace {
  readonly adapter: string;
  readonly driver: string;
  /** Of the kernels that were measured. */
  readonly version: string;
}

export interface KernelFile extends KernelPlace {
  /** What is done how: the way's name by the work's. */
  readonly entries: KernelEntries;
}

/** The adapter and the driver, each as it says of itself. */
export function kernelPlace(
  { vendor, architecture, device, description }: GPUAdapterInfo,
  version: string,
): KernelPlace {
  return { adapter: device || architecture || vendor || 'unnamed adapter', driver: description, version };
}

export function kernelFileText({ adapter, driver, version, entries }: KernelFile): string {
  return `${JSON.stringify({ format: FORMAT, adapter, driver, version, entries }, null, 2)}\n`;
}

/**
 * @param name what messages call the file
 * @throws UserError where it is damaged, or no such file
 */
export function readKernelFile(text: string, name: string): KernelFile {
  const bad = (what: string): UserError =>
    new UserError(`${name} ${what}. Give a kernels.json as a run has left it, or leave --kernels out.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad('is damaged: it is no JSON');
  }
  if (typeof value !== 'object' || value === null || !('format' in value) || value.format !== FORMAT) {
    throw bad(`is no file of kernel choices: its format is not "${FORMAT}"`);
  }
  const { adapter, driver, version, entries } = value as Partial<Record<keyof KernelFile, unknown>>;
  const areEntries =
    typeof entries === 'object' && entries !== null && Object.values(entries).every((name) => typeof name === 'string');
  if (typeof adapter !== 'string' || typeof driver !== 'string' || typeof version !== 'string' || !areEntries) {
    throw bad('is damaged: adapter, driver, version or entries are missing or no text');
  }
  return { adapter, driver, version, entries: entries as KernelEntries };
}

/** What differs between where choices were made and where they are to hold: undefined where nothing does. */
export function otherPlace(file: KernelPlace, here: KernelPlace): string | undefined {
  const differing = (['adapter', 'driver', 'version'] as const).find((key) => file[key] !== here[key]);
  return differing && `is of another ${differing}, '${file[differing]}'; here it is '${here[differing]}'`;
}
