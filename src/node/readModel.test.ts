import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { writeSafetensors, type Safetensors, type StoredTensor } from '../formats/safetensors';
import { readEncoder } from '../imae/checkpoint/encoderSource';
import { TINY_CONFIG, TINY_PREPROCESSOR, tinyMae } from '../testing/transformersModel';
import { isModelFolder, readModelFile } from './readModel';

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
afterAll(() => rmSync(base, { recursive: true }));
const { mae, transformers } = tinyMae();
const CONFIGS = { 'config.json': TINY_CONFIG, 'preprocessor_config.json': TINY_PREPROCESSOR };
const whole = (tensors: ReadonlyMap<string, StoredTensor>): Uint8Array => writeSafetensors(tensors, { format: 'pt' });

/** A folder of files: bytes as they are, objects as JSON. */
function folder(name: string, files: Readonly<Record<string, Uint8Array | object | string>>): string {
  const path = join(base, name);
  mkdirSync(path);
  for (const [file, content] of Object.entries(files)) {
    const text = typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content);
    writeFileSync(join(path, file), text);
  }
  return path;
}

const contents = ({ tensors }: Safetensors): object =>
  Object.fromEntries([...tensors].map(([name, { shape, bytes }]) => [name, { shape, bytes: [...bytes] }]));
const WANTED = contents({ tensors: mae, metadata: {} });

describe('a folder of transformers', () => {
  it('is read whole, and by each of its files', () => {
    const path = folder('whole', { ...CONFIGS, 'model.safetensors': whole(transformers) });
    expect(isModelFolder(path)).toBe(true);
    for (const each of [path, join(path, 'model.safetensors')]) {
      const file = readModelFile(each);
      expect(contents(file)).toEqual(WANTED);
      expect(file.metadata).toMatchObject({ heads: '3', layerNormEps: '1e-12', mean: '[0.5,0.4,0.3]' });
    }
  });

  it('is read in the cache of the hub, at the current version', () => {
    const path = folder('models--a--b', {});
    for (const each of ['refs', 'snapshots']) mkdirSync(join(path, each));
    writeFileSync(join(path, 'refs/main'), 'c0ffee\n');
    folder('models--a--b/snapshots/0ld', { 'model.safetensors': new Uint8Array(1) });
    folder('models--a--b/snapshots/c0ffee', { ...CONFIGS, 'model.safetensors': whole(transformers) });
    expect(isModelFolder(path)).toBe(true);
    expect(contents(readModelFile(path))).toEqual(WANTED);
    expect(readModelFile(path).metadata).toMatchObject({ heads: '3' });
  });

  it('is read in shards, by the older names and with a byte order mark, too', () => {
    const entries = [...transformers];
    const shards = [entries.slice(0, 20), entries.slice(20)].map((part) => new Map(part));
    for (const [stem, extension] of [
      ['model', 'safetensors'],
      ['pytorch_model', 'bin'],
    ] as const) {
      const names = [1, 2].map((index) => `${stem}-0000${index}-of-00002.${extension}`);
      const weightMap = Object.fromEntries(entries.map(([name], index) => [name, names[index < 20 ? 0 : 1]]));
      const index = `${stem}.${extension}.index.json`;
      const path = folder(`shards-${stem}`, {
        'config.json': `\uFEFF${JSON.stringify(TINY_CONFIG)}`,
        [index]: { metadata: { total_size: 0 }, weight_map: weightMap },
        ...Object.fromEntries(shards.map((shard, at) => [names[at] as string, whole(shard)] as const)),
      });
      for (const each of [path, join(path, index)]) {
        expect(contents(readModelFile(each))).toEqual(WANTED);
        expect(readModelFile(each).metadata).toMatchObject({ decoderHeads: '2' });
      }
      rmSync(join(path, names[1] as string));
      expect(() => readModelFile(path)).toThrow(`${join(path, index)} names ${names[1]}, which is not beside it.`);
    }
  });

  it('is refused where its files are none', () => {
    expect(isModelFolder(folder('none', CONFIGS))).toBe(false);
    expect(() => readModelFile(join(base, 'none'))).toThrow(
      /none is a folder without a model: none of model.safetensors, /,
    );
    const path = folder('no-json', { 'model.safetensors': whole(transformers), 'config.json': '{' });
    expect(() => readModelFile(path)).toThrow(/config.json is not JSON: .*Copy or download it again/);
    const other = folder('no-object', { 'model.safetensors': whole(transformers), 'config.json': '[]' });
    expect(() => readModelFile(other)).toThrow(/config.json holds no JSON object/);
    const index = { 'model.safetensors.index.json': { weights: {} } };
    expect(() => readModelFile(folder('no-map', index))).toThrow(/index.json does not say where its tensors lie/);
  });
});

describe('a folder of timm', () => {
  it('is read, here as PyTorch saved it', () => {
    const config = {
      architecture: 'vit_tiny_patch16_224',
      model_args: { num_heads: 2 },
      pretrained_cfg: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    };
    const path = folder('timm', { 'config.json': config });
    const saved = fileURLToPath(new URL('../imae/checkpoint/testFiles/mae.pth', import.meta.url));
    copyFileSync(saved, join(path, 'pytorch_model.bin'));
    const { size, normalisation, assumed } = readEncoder({ name: 'x', file: readModelFile(path) });
    expect([size.heads, normalisation.mean, assumed]).toEqual([2, [0.5, 0.5, 0.5], undefined]);
    // Beside a file of another name a configuration may be of anything.
    copyFileSync(saved, join(path, 'other.pth'));
    expect(readModelFile(join(path, 'other.pth')).metadata).not.toHaveProperty('heads');
  });
});
