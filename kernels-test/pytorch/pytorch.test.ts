import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as exported from '../../src/index';
import type { Engine } from '../../src/engine/engine';
import { testEngine } from '../../src/testing/testEngine';
import type { StoredFamily } from './goldens';
import { runCases, runRefusals, type Operation } from './runCases';

/*
 * Every operation equals PyTorch, values and gradients, on what generate.py had PyTorch compute; and it refuses what PyTorch
 * refuses. All cases of an operation are one program, so that each kernel is compiled once.
 */

const FOLDER = import.meta.dirname;

/** Operations without goldens, and why. */
const WITHOUT: Readonly<Record<string, string>> = {
  attention: 'PyTorch has no attention of packed operands; kernels-test/attention.test.ts',
  dropout: 'it draws other numbers than PyTorch; kernels-test/dropout.test.ts',
  defineOperation: 'no operation',
  like: 'no operation',
  weightedSum: 'PyTorch has no operation like it; kernels-test/weightedSum.test.ts',
};

const families = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json.gz'))
  .map((name) => JSON.parse(gunzipSync(readFileSync(join(FOLDER, name))).toString()) as StoredFamily); // what generate.py wrote

/** What src/index.ts exports under a name, if it is a function. */
function operationOf(name: string): Operation | undefined {
  const found: unknown = (exported as Readonly<Record<string, unknown>>)[name];
  return typeof found === 'function' ? (found as Operation) : undefined;
}

function byOperation<T extends { readonly operation: string }>(entries: readonly T[]): [string, T[]][] {
  const found = new Map<string, T[]>();
  for (const entry of entries) found.set(entry.operation, [...(found.get(entry.operation) ?? []), entry]);
  return [...found];
}

/** Names of the functions that src/index.ts exports of src/ops. */
function exportedOperations(): string[] {
  const text = readFileSync(join(FOLDER, '../../src/index.ts'), 'utf8');
  const lists = [...text.matchAll(/export \{([^}]*)\} from '\.\/ops\//g)].map((match) => match[1] ?? '');
  const names = lists.flatMap((list) => list.split(',').map((name) => name.trim().split(' as ').at(-1) ?? ''));
  return names.filter((name) => operationOf(name) !== undefined);
}

/** Those of operations that are there. */
function there<T>(named: readonly (readonly [string, T])[]): [string, Operation, T][] {
  return named.flatMap(([name, entries]) => {
    const operation = operationOf(name);
    return operation ? [[name, operation, entries]] : [];
  });
}

describe('PyTorch', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    engine.dispose();
  });

  const cases = byOperation(families.flatMap((family) => family.cases));
  const refusals = byOperation(families.flatMap((family) => family.refusals));

  it('has goldens of every operation', () => {
    const known = [...cases.map(([name]) => name), ...Object.keys(WITHOUT)];
    expect(exportedOperations().filter((name) => !known.includes(name))).toEqual([]);
    const count = families.reduce((sum, family) => sum + family.cases.length, 0);
    expect(count).toBeGreaterThan(3000);
  });

  it.each(there(cases))('computes %s', async (_, operation, each) => {
    expect(await runCases(engine, operation, each)).toEqual([]);
  });

  it.each(there(refusals))('refuses what is no %s', (_, operation, each) => {
    expect(runRefusals(engine, operation, each)).toEqual([]);
  });
});
