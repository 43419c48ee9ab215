import { freemem, totalmem } from 'node:os';

/**
 * Bytes that this process may still take: what the system can free, and in a container no more than is left of its limit.
 * Node's own `availableMemory` counts the container's file cache as used up, and so refuses machines that have room.
 */
export function freeMemory(): number {
  return Math.min(freemem(), memoryLimit() - process.memoryUsage.rss());
}

/** Bytes that this process may have in all. */
export function memoryLimit(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Infinity);
}
