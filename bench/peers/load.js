// Imports a package of bench/peers/node_modules. Node looks for packages from the importing file's folder on, so this
// one lies beside them and is never bundled.
export const load = (name) => import(name);
