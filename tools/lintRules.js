// What HOUSE.md asks of files, functions, folders and imports, and no rule of ESLint or a plugin reports as asked:
// ESLint's own max-lines-per-function can't tell a test's describe, and import plugins' cycles leave types out.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import ts from 'typescript';

const limit = [{ type: 'integer', minimum: 1 }];

/** @returns {boolean} whether a call is of describe, or of what it makes: describe.each(rows)(name, body) */
function isDescribe(node) {
  if (node.type === 'CallExpression') return isDescribe(node.callee);
  if (node.type === 'MemberExpression') return isDescribe(node.object);
  return node.type === 'Identifier' && node.name === 'describe';
}

const maxFunctionLines = {
  meta: { type: 'suggestion', schema: limit, messages: { long: 'A function of {{lines}} lines: {{max}} at most.' } },
  create: (context) => ({
    ':function'(node) {
      const [max] = context.options;
      const lines = node.loc.end.line - node.loc.start.line + 1;
      if (lines <= max || (node.parent.type === 'CallExpression' && isDescribe(node.parent))) return;
      context.report({ node, messageId: 'long', data: { lines, max } });
    },
  }),
};

/** Tests and benches, and what kernels are tested against, are as many as what they are of. */
const ASIDE = /\.(test|bench|reference)\.ts$/;

const maxFolderFiles = {
  meta: { type: 'suggestion', schema: limit, messages: { large: 'A folder of {{files}} files: {{max}} at most.' } },
  create: (context) => ({
    Program(node) {
      const [max] = context.options;
      const folder = dirname(context.filename);
      if (!existsSync(folder) || ASIDE.test(basename(context.filename))) return;
      const entries = readdirSync(folder, { withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile() && !ASIDE.test(entry.name)).length;
      if (files > max) context.report({ node, loc: { line: 1, column: 0 }, messageId: 'large', data: { files, max } });
    },
  }),
};

/** The file of this project that a module's name stands for where another names it, if it is one. */
function resolve(name, from) {
  if (!name.startsWith('.')) return undefined;
  const path = join(dirname(from), name);
  return [`${path}.ts`, join(path, 'index.ts'), path].find((each) => /\.[jt]s$/.test(each) && existsSync(each));
}

/** Per file what it imports. A run of the linter reads each once. */
const importsOf = new Map();

function readImports(file) {
  const known = importsOf.get(file);
  if (known) return known;
  const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'));
  const found = [...new Set(importedFiles.map(({ fileName }) => resolve(fileName, file)).filter(Boolean))];
  importsOf.set(file, found);
  return found;
}

/** The shortest way from one file to another over imports, both ends included. */
function way(from, to) {
  const cameFrom = new Map([[from, undefined]]);
  // What is added while it is gone through is gone through too.
  for (const file of cameFrom.keys()) {
    if (file === to) {
      const steps = [];
      for (let step = file; step; step = cameFrom.get(step)) steps.unshift(step);
      return steps;
    }
    for (const next of readImports(file)) if (!cameFrom.has(next)) cameFrom.set(next, file);
  }
  return undefined;
}

const noCycle = {
  meta: { type: 'problem', schema: [], messages: { cycle: 'It imports this file in turn: {{way}}.' } },
  create(context) {
    function check(node) {
      const imported = node.source && resolve(node.source.value, context.filename);
      const back = imported && way(imported, context.filename);
      if (!back) return;
      const data = { way: back.map((file) => relative(context.cwd, file)).join(' → ') };
      context.report({ node, messageId: 'cycle', data });
    }
    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check };
  },
};

export default {
  rules: { 'max-function-lines': maxFunctionLines, 'max-folder-files': maxFolderFiles, 'no-cycle': noCycle },
};
