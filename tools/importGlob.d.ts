import type { Plugin } from 'esbuild';

export const importGlob: Plugin;
export function found(folder: string, patterns: readonly string[]): string[];
