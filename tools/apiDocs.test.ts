import { relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/*
 * The reference is made of doc comments (`npm run docs`), and this holds them to what a reader asks: every public name has one.
 * That of an operation says what shapes it takes and gives, what it throws, and where it comes from. Operations that share a
 * type, such as `Unary`, share what its comment says: the reference links to it.
 */

const ENTRY = 'src/index.ts';
/** These make operations, and are none. */
const NO_OPERATIONS = ['defineOperation', 'like'];
/** These are in no paper, and not in PyTorch. */
const OWN = ['weightedSum'];

const SHAPE = /\bshapes?\b|\bscalars?\b|\bbroadcast|\[[^\]]*\]|\bstretched\b/i;
/** PyTorch's name, or the year of a paper or a standard. */
const SOURCE = /`(torch|F|Tensor|x\[)[\w.[:\]]*`|PyTorch|\b(19|20)\d\d\b|IEEE 754/;

const { config } = ts.readConfigFile('tsconfig.json', (path) => ts.sys.readFile(path)) as { config: unknown };
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.');
const program = ts.createProgram([ENTRY, 'src/wgsl.d.ts'], options);
const checker = program.getTypeChecker();

/** What a doc comment has: its text, and its tags with theirs. */
interface Comment {
  readonly text: string;
  readonly tags: readonly { readonly name: string; readonly of: string; readonly text: string }[];
}

function commentOf(symbol: ts.Symbol): Comment {
  const tags = symbol.getJsDocTags(checker).map(({ name, text = [] }) => ({
    name,
    of: text.find(({ kind }) => kind === 'parameterName')?.text ?? '',
    text: ts.displayPartsToString(text),
  }));
  return { text: ts.displayPartsToString(symbol.getDocumentationComment(checker)), tags };
}

/** The public names, each with what declares it. */
function publicNames(): { readonly name: string; readonly symbol: ts.Symbol; readonly path: string }[] {
  const source = program.getSourceFile(ENTRY);
  const entry = source && checker.getSymbolAtLocation(source);
  return (entry ? checker.getExportsOfModule(entry) : []).map((exported) => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const path = symbol.declarations?.[0]?.getSourceFile().fileName ?? '';
    return { name: exported.name, symbol, path: relative('.', path) };
  });
}

/** The comment of an operation with those of the type that it is declared with, and of the types that this one extends. */
function wholeComment(symbol: ts.Symbol): Comment {
  const type = checker.getTypeOfSymbol(symbol);
  const shared = type.aliasSymbol ? [type.aliasSymbol] : type.isClassOrInterface() ? withBases(type) : targetOf(type);
  const comments = [symbol, ...shared].map(commentOf);
  return { text: comments.map(({ text }) => text).join('\n'), tags: comments.flatMap(({ tags }) => tags) };
}

function withBases(type: ts.InterfaceType): ts.Symbol[] {
  const bases = checker.getBaseTypes(type).flatMap((base) => (base.isClassOrInterface() ? withBases(base) : []));
  return [type.symbol, ...bases];
}

/** The interface of a type with arguments. */
function targetOf(type: ts.Type): ts.Symbol[] {
  return type.symbol.flags & ts.SymbolFlags.Interface ? [type.symbol] : [];
}

/** What a comment lacks for a signature of an operation. */
function lacks(name: string, symbol: ts.Symbol): string[] {
  const { text, tags } = wholeComment(symbol);
  const all = [text, ...tags.map((tag) => tag.text)].join('\n');
  const [signature] = checker.getTypeOfSymbol(symbol).getCallSignatures();
  const tensors = (signature?.parameters ?? []).filter((parameter) =>
    /\bTensor\b|\bScalar\b/.test(checker.typeToString(checker.getTypeOfSymbol(parameter))),
  );
  const says = (tag: string, of: string): boolean =>
    tags.some((given) => given.name === tag && given.of === of && SHAPE.test(given.text));
  return [
    ...tensors.flatMap((tensor) => (says('param', tensor.name) ? [] : [`@param ${tensor.name} with its shape`])),
    ...(says('returns', '') ? [] : ['@returns with its shape']),
    ...(tags.some((tag) => tag.name === 'throws') ? [] : ['@throws']),
    ...(SOURCE.test(all) || OWN.includes(name) ? [] : ['a source: the name in PyTorch, or a paper']),
  ].map((what) => `${name}: ${what}`);
}

describe('the API reference', () => {
  const names = publicNames();
  const operations = names.filter(
    ({ name, symbol, path }) =>
      path.startsWith('src/ops/') && symbol.flags & ts.SymbolFlags.Value && !NO_OPERATIONS.includes(name),
  );

  it('has a comment of every public name', () => {
    expect(names.length).toBeGreaterThan(100);
    const bare = names.filter(({ symbol }) => commentOf(symbol).text === '');
    expect(bare.map(({ name, path }) => `${name} (${path})`)).toEqual([]);
  });

  it('says of every operation shapes, errors and source', () => {
    expect(operations.length).toBeGreaterThan(90);
    expect(operations.flatMap(({ name, symbol }) => lacks(name, symbol))).toEqual([]);
  });
});
