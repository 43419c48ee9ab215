// An esbuild plugin. package.json says that modules have no effects, which is so for those of the package; styles of the pages,
// and the language of their numbers, are imported for theirs.

export const keepEffects = {
  name: 'keepEffects',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /\.css$|\/language$/ }, async ({ path, kind, pluginData, importer, resolveDir, namespace }) => {
      if (pluginData === keepEffects) return undefined;
      const found = await resolve(path, { kind, importer, resolveDir, namespace, pluginData: keepEffects });
      return { ...found, sideEffects: true };
    });
  },
};
