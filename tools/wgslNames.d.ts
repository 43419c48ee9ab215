export function shortNames(texts: readonly string[]): Map<string, string>;
export function renamed(text: string, names: ReadonlyMap<string, string>): string;
