import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { UserError } from '../common/userError';
import { resolveConfig, type Config } from '../imae/config/config';
import { flagsOf, OPTION_LIST } from '../imae/config/options';
import { parseCommandLine } from './commandLine';
import { COMMANDS } from './commands/index';

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function configOf(...args: string[]): Config {
  return resolveConfig(parseCommandLine(args).layers);
}

function refusal(...args: string[]): string {
  try {
    configOf(...args);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).exitCode).toBe(2);
    return (error as UserError).message;
  }
  throw new Error(`${args.join(' ')} was accepted`);
}

const flags = OPTION_LIST.flatMap(flagsOf);

test('no arguments are the demo', () => {
  expect(parseCommandLine([])).toEqual({ layers: [], profile: false, debugNumbers: false, dryRun: false });
  expect(configOf().preset).toBe('demo');
});

test('no two options share a flag', () => {
  const names = flags.map((flag) => flag.name);
  const others = ['preset', 'config', 'out', 'resume', 'dry-run', 'debug', 'help'];
  expect(new Set([...names, ...others]).size).toBe(names.length + others.length);
});

test.each(flags.filter((flag) => flag.option.kind.placeholder))('--$name sets $section.$key', (flag) => {
  const { name, section, key, option, form } = flag;
  // A value that differs from the demo's, so that a flag without effect is seen.
  const demo = (configOf()[section] as Record<string, unknown>)[key];
  const candidates = form
    ? ['7']
    : ['none', 'same', '1', '3', '4', '8', '0.3', '0.1,0.2', 'beta(2,3)', 'some/file'].concat(
        option.kind.placeholder.split('|'),
      );
  const fits = candidates.find((text) => {
    const value = option.kind.read(form ? { [form]: Number(text) } : option.kind.parse(text));
    return value !== undefined && JSON.stringify(value) !== JSON.stringify(demo);
  });
  expect(fits).toBeDefined();
  const [layer] = parseCommandLine([`--${name}`, fits as string]).layers;
  const given = (layer?.values as Record<string, Record<string, unknown>>)[section]?.[key];
  const expected = option.kind.read(form ? { [form]: Number(fits) } : option.kind.parse(fits as string));
  expect(option.kind.read(given)).toEqual(expected);
});

test('a switch has two flags', () => {
  expect(configOf('--preset', 'cifar', '--no-flip', '--norm-pix')).toMatchObject({
    data: { flip: false },
    model: { normPix: true },
  });
});

test('a form of a value replaces the preset\'s, and "same" is the student\'s', () => {
  const config = configOf('--preset', 'cifar', '--lr', '1e-3', '--teacher-blr', 'same', '--steps', '9');
  expect(config.optimizer.learningRate).toEqual({ lr: 1e-3 });
  expect(config.teacher.learningRate).toBeNull();
  expect(config.training.budget).toEqual({ steps: 9 });
});

test('flags win over the config file, which wins over the preset', () => {
  const path = file('a.json', '{"preset": "cifar", "model": {"patch": 4, "dim": 96}, "training": {"seed": 5}}');
  const config = configOf('--dim', '48', '--config', path);
  expect(config).toMatchObject({ preset: 'cifar', model: { patch: 4, dim: 48, depth: 12 }, training: { seed: 5 } });
  expect(() => configOf('--config', path, '--preset', 'demo')).toThrow(/is of the preset cifar/);
});

test('the teacher of a file means i-MAE alone', () => {
  expect(configOf('--teacher', 't.safetensors')).toMatchObject({
    teacher: { checkpoint: 't.safetensors' },
    training: { mode: 'imae' },
  });
});

test('what is no setting', () => {
  const line = parseCommandLine(['--out', 'here', '--dry-run', '--debug']);
  expect(line).toEqual({ layers: [], out: 'here', profile: false, debugNumbers: false, dryRun: true });
});

test('help names every flag, every preset and no undefined value', () => {
  const { answer: help = '' } = parseCommandLine(['--help'], COMMANDS);
  for (const { name, option } of flags) {
    expect(help).toContain(option.kind.placeholder ? `--${name} ` : `--[no-]${name}`);
  }
  const { steps } = configOf().training.budget as { readonly steps: number };
  expect(help).toContain(`[${steps} | – | – | –]`);
  expect(help).not.toMatch(/undefined|NaN|\[object/);
  for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(110);
});

describe('refused with one message that helps', () => {
  test.each<[string[], ...string[]]>([
    [['--stpes', '3'], "Unknown option '--stpes'", 'Did you mean --steps?'],
    [['--dim'], "'--dim <N>' argument missing"],
    [['cifar'], "'cifar'", '--data'],
    [['--steps', 'abc'], '--steps: "abc"', 'a whole number from 1'],
    [['--dim', '-4'], '--dim (model.dim): -4'],
    [['--steps', '3', '--epochs', '4'], '--steps and --epochs'],
    [['--lr', '1', '--blr', '1'], '--lr and --blr'],
    [['--resume', 'runs/a', '--steps', '4'], '--steps cannot be changed by --resume'],
    [['--resume', 'runs/a', '--out', 'b'], '--out cannot be changed by --resume'],
    [['--config', 'nowhere.json'], '--config', 'nowhere.json'],
    [['--config', file('broken.json', '{')], '--config', 'broken.json'],
    [['--config', file('key.json', '{"model": {"widht": 3}}')], 'key.json', '"model.widht"'],
  ])('%j', (args, ...parts) => {
    const message = refusal(...args);
    for (const part of parts) expect(message).toContain(part);
    expect(message).not.toContain('\n');
  });
});

test('a resumed run may change where it computes and how often it reports', () => {
  const line = parseCommandLine(['--resume', 'runs/a', '--adapter', 'software', '--log-every', '5']);
  expect(line.resume).toBe('runs/a');
  expect(line.layers[0]?.values).toEqual({ logging: { logEvery: 5 }, device: { adapter: 'software' } });
});
