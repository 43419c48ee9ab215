import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { random } from '../../kernels-test/allclose';
import { kernelFileText, readKernelFile, type KernelFile } from '../formats/kernelFile';
import { readSessions } from '../report/session';
import { choicesOf, variantName, type KernelVariant } from '../gpu/autotune';
import type { Engine } from '../engine/engine';
import { rehearse } from '../imae/train/phaseResources';
import { TINY, TINY_DATA, tinyConfig } from '../testing/tinyRun';
import { matmul } from '../ops/matmul';
import { Graph } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';
import { openEngine } from './dawn';
import { completeChoices, loadChoices, usedChoices } from './kernels';
import { spawnTrain } from '../testing/spawnTrain';

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
afterAll(() => rmSync(base, { recursive: true }));

/** Long enough for measuring to pay, whatever the adapter. */
const LONG = 1e30;

function askFor(engine: Engine): void {
  const graph = new Graph(engine);
  const tensor = (shape: readonly number[]): Tensor =>
    graph.input('x', shape, 'f32', Float32Array.from(random(shape, 1).data));
  matmul(tensor([64, 32]), tensor([48, 32]), 'nt');
}

describe('choices of kernels', () => {
  const cache = join(base, 'cache');
  const engines: Engine[] = [];
  const opened = async (): Promise<Engine> => {
    vi.stubEnv('XDG_CACHE_HOME', cache);
    const engine = await openEngine({ timestamps: true });
    engines.push(engine);
    choicesOf(engine);
    return engine;
  };
  afterEach(() => {
    vi.unstubAllEnvs();
    for (const engine of engines.splice(0)) engine.dispose();
  });
  const cached = (): string =>
    join(cache, 'palimpsest', readdirSync(join(cache, 'palimpsest')).find((name) => name.startsWith('kernels-')) ?? '');

  it('are not measured for a short run', async () => {
    const engine = await opened();
    const loaded = await loadChoices(engine, 'fast', undefined);
    askFor(engine);
    const notes: string[] = [];
    await completeChoices(engine, loaded, 1e9, (text) => notes.push(text));
    expect(notes).toEqual([]);
    expect(usedChoices(engine).entries).toEqual({});
  });

  it('are measured once for a long one, and kept for the next', async () => {
    const first = await opened();
    const loaded = await loadChoices(first, 'fast', undefined);
    askFor(first);
    const notes: string[] = [];
    await completeChoices(first, loaded, LONG, (text) => notes.push(text), 300);
    expect(notes).toEqual([
      expect.stringMatching(/^timing kernels on 1 shape for up to .+: once for this adapter, then kept$/),
      expect.stringMatching(/^of 1 shape, [01] got another kernel than by rule/),
    ]);
    const { entries } = usedChoices(first);
    expect(Object.keys(entries)).toEqual(choicesOf(first).asked.map(({ key }) => key));
    expect(readKernelFile(readFileSync(cached(), 'utf8'), 'cache')).toEqual(usedChoices(first));

    const second = await opened();
    const again = await loadChoices(second, 'fast', undefined);
    askFor(second);
    await completeChoices(second, again, LONG, () => expect.fail('nothing is left to measure'));
    expect(usedChoices(second).entries).toEqual(entries);
  });

  it('of a damaged cache are measured again', async () => {
    writeFileSync(cached(), '{"format": "palimp');
    const engine = await opened();
    const loaded = await loadChoices(engine, 'fast', undefined);
    askFor(engine);
    await completeChoices(engine, loaded, LONG, () => undefined, 300);
    expect(Object.keys(usedChoices(engine).entries)).toHaveLength(1);
    expect(readKernelFile(readFileSync(cached(), 'utf8'), 'cache')).toEqual(usedChoices(engine));
  });

  it('of a recording are taken as they are, and no others measured', async () => {
    const engine = await opened();
    askFor(engine);
    const [question] = choicesOf(engine).asked;
    const last = variantName(question?.variants.at(-1) as KernelVariant);
    const record = join(base, 'recorded');
    mkdirSync(record);
    writeFileSync(
      join(record, 'kernels.json'),
      kernelFileText({ ...usedChoices(engine), entries: { [question?.key ?? '']: last } }),
    );
    const replaying = await opened();
    const loaded = await loadChoices(replaying, record, undefined);
    askFor(replaying);
    const notes: string[] = [];
    await completeChoices(replaying, loaded, LONG, (text) => notes.push(text));
    expect(notes).toEqual([expect.stringMatching(/^kernels of .*kernels\.json for 1 of \d+ shapes?/)]);
    expect(usedChoices(replaying).entries).toEqual({ [question?.key ?? '']: last });
  });

  it('of a recording that names no kernel are refused', async () => {
    const engine = await opened();
    const record = join(base, 'unknown.json');
    askFor(engine);
    const [question] = choicesOf(engine).asked;
    writeFileSync(
      record,
      kernelFileText({ ...usedChoices(engine), entries: { [question?.key ?? '']: 'matmulGone BM=1' } }),
    );
    const replaying = await opened();
    const loaded = await loadChoices(replaying, record, undefined);
    askFor(replaying);
    await expect(completeChoices(replaying, loaded, 0, () => undefined)).rejects.toThrow(
      /names a kernel that does not exist: matmul nt .*: matmulGone BM=1/,
    );
  });
});

describe('node train.js --kernels', () => {
  const folder = (name: string): string => join(base, name);
  const record = (name: string): KernelFile =>
    readKernelFile(readFileSync(join(folder(name), 'kernels.json'), 'utf8'), name);
  const lines = (name: string): unknown[] =>
    readFileSync(join(folder(name), 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => ({ ...(JSON.parse(line) as object), imagesPerSecond: undefined }));
  beforeAll(() =>
    writeFileSync(
      folder('tiny.json'),
      JSON.stringify({ preset: 'demo', ...TINY, training: { ...TINY.training, mode: 'mae' } }),
    ),
  );

  it('records what it took; another run replays it, with the same bits', async () => {
    const first = await spawnTrain(['--config', folder('tiny.json'), '--out', folder('first')]);
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(record('first').entries).toEqual({}); // too short to measure

    // The variants that measurement may find, stated by hand: the second of each.
    const engine = await openEngine();
    choicesOf(engine);
    let entries: Record<string, string> = {};
    try {
      await rehearse(engine, tinyConfig({ training: { mode: 'mae' } }), TINY_DATA);
      entries = Object.fromEntries(
        choicesOf(engine).asked.map(({ key, variants }) => [key, variantName(variants[1] as KernelVariant)]),
      );
    } finally {
      engine.dispose();
    }
    writeFileSync(folder('chosen.json'), kernelFileText({ ...record('first'), entries }));
    const second = await spawnTrain([
      '--config',
      folder('tiny.json'),
      '--out',
      folder('second'),
      '--kernels',
      folder('chosen.json'),
    ]);
    expect(second).toMatchObject({ code: 0, err: '' });
    const used = record('second').entries;
    expect(Object.keys(used).length).toBeGreaterThan(20);
    for (const [key, name] of Object.entries(used)) expect(entries[key]).toBe(name);
    expect(lines('second')).toEqual(lines('first'));
    expect(readSessions(readFileSync(join(folder('second'), 'sessions.jsonl'), 'utf8'))).toMatchObject([
      { kernels: 'kernels.json' },
    ]);
  }, 240_000);

  it.each([
    [
      'is missing',
      'nothing.json',
      (): string | undefined => undefined,
      2,
      'nothing.json cannot be read: there is no such file or folder',
    ],
    ['is damaged', 'damaged.json', (): string | undefined => '{"for', 1, 'damaged.json is damaged: it is no JSON'],
    [
      'is of another adapter',
      'other.json',
      (): string | undefined => kernelFileText({ ...record('first'), adapter: 'Card X' }),
      1,
      "other.json is of another adapter, 'Card X'",
    ],
  ] as const)('a recording that %s is refused', async (_, name, content, code, message) => {
    const text = content();
    if (text !== undefined) writeFileSync(folder(name), text);
    const ended = await spawnTrain([
      '--config',
      folder('tiny.json'),
      '--out',
      folder('never'),
      '--kernels',
      folder(name),
    ]);
    expect(ended.code).toBe(code);
    expect(ended.err.trimEnd().split('\n')).toEqual([expect.stringContaining(message)]);
    expect(readdirSync(base)).not.toContain('never');
  });
});
