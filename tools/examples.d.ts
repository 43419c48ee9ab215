export function serveExamples(): Promise<{ readonly url: string; close(): Promise<void> }>;
