export const ENTRIES: Readonly<Record<string, string>>;
export function buildPackage(): Promise<void>;
export function buildPackageIfStale(): Promise<void>;
