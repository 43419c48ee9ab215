/*
 * What a pickle holds that is not plain data, and what its reader is told of it.
 */

/** What a pickle may name, as `module.name`, and what calling it gives. Whatever these throw becomes a UserError. */
export type PickleGlobals = Readonly<Record<string, (...args: unknown[]) => unknown>>;

export interface PickleOptions {
  readonly globals: PickleGlobals;
  /** What an identifier of something outside the pickle stands for. Without, there may be none. */
  readonly persistent?: (id: unknown) => unknown;
}

/** A class or function that a pickle names: it comes as an argument, or where the pickle holds it as a value. */
export class PickledGlobal {
  constructor(
    readonly name: string,
    readonly make: (...args: unknown[]) => unknown,
  ) {}
}

/** The method by which something that a global made takes the state that follows in the pickle. Without, it may have none. */
export const BUILD = Symbol('build');

/** A value in a message. What has parts is only named: they may repeat without end. */
export function inWords(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'a list' : `a ${value.constructor.name}`;
  return String(value);
}
