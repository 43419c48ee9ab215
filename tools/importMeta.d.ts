interface ImportMeta {
  /**
   * The default exports of the files that match, by their paths, which begin with `./`. Vite has it, and `importGlob.js`
   * brings it to esbuild, in files named index.ts.
   */
  glob<T>(
    patterns: string | readonly string[],
    options: { readonly eager: true; readonly import: 'default' },
  ): Readonly<Record<string, T>>;
}
