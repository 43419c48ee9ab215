type Names = Map<string, Map<string, string>>;
export function shortNames(texts: readonly string[]): Names;
export function renamed(text: string, names: Names): string;
export function sectionsOf(text: string): string[];
