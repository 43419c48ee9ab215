import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

/*
 * docs/operations.md says of every operation what it is given, as its declaration has it. After a change of a declaration, this
 * file with vitest's -u writes that column anew.
 */

const PAGE = 'docs/operations.md';

/** Declarations of what src/index.ts exports, by name. */
function declaredSignatures(): Map<string, string> {
  const { config } = ts.readConfigFile('tsconfig.json', (path) => ts.sys.readFile(path)) as { config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.');
  const program = ts.createProgram(['src/index.ts', 'src/wgsl.d.ts'], options);
  const checker = program.getTypeChecker();
  const file = program.getSourceFile('src/index.ts');
  const module = file && checker.getSymbolAtLocation(file);
  if (!module) throw new Error('src/index.ts exports nothing.');
  const found = new Map<string, string>();
  for (const exported of checker.getExportsOfModule(module)) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    if (!(symbol.flags & ts.SymbolFlags.Value)) continue;
    // Of overloads the last is the most general one.
    const signature = checker.getTypeOfSymbol(symbol).getCallSignatures().at(-1);
    if (signature) found.set(exported.name, argumentsOf(signature, checker));
  }
  return found;
}

function argumentsOf(signature: ts.Signature, checker: ts.TypeChecker): string {
  const shown = signature.parameters.map((parameter) => {
    const { valueDeclaration: declaration } = parameter;
    if (!declaration || !ts.isParameter(declaration)) return parameter.name;
    const isOptional = declaration.questionToken !== undefined || declaration.initializer !== undefined;
    const given = checker.getTypeOfSymbol(parameter);
    const type = checker.getNonNullableType(given);
    const mark = isOptional || type !== given ? '?' : '';
    if (declaration.dotDotDotToken) return `...${parameter.name}`;
    if (ts.isIdentifier(declaration.name) && parameter.name !== 'options') return `${parameter.name}${mark}`;
    return `{ ${checker
      .getPropertiesOfType(type)
      .map(({ name }) => name)
      .join(', ')} }${mark}`;
  });
  return `(${shown.join(', ')})`;
}

it(`${PAGE} says what each operation is given`, async () => {
  const signatures = declaredSignatures();
  const wanted = readFileSync(PAGE, 'utf8').replace(
    /^\| `(\w+)` \| `[^`]*` \|/gm,
    (_, name: string) => `| \`${name}\` | \`${signatures.get(name) ?? 'is no operation'}\` |`,
  );
  await expect(wanted).toMatchFileSnapshot(join('..', PAGE));
});
