import type { Plugin } from 'esbuild';

export const wgslText: Plugin;
export function strippedWgsl(text: string): string;
