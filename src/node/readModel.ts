import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Safetensors, StoredTensor } from '../formats/safetensors';
import { UserError } from '../common/userError';
import { completeModel, type Json, type ModelConfigFiles } from '../imae/checkpoint/modelConfig';
import { errorCode, reason } from './failure';
import { readTensors } from './readTensors';

/*
 * Models as transformers and timm save them: a folder of `model.safetensors` or `pytorch_model.bin`, whole or in shards that
 * an index lists (`{"weight_map": {TENSOR: FILE}}`), and `config.json` beside it. The cache of Hugging Face's hub has such a folder
 * for each version, `models--OWNER--NAME/snapshots/COMMIT`, and names the current one in `refs/main`.
 */

/** The files that a folder of a model may have its tensors in, or the index of these; the first that there is, is read. */
const WEIGHTS = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const;

/** Whether a path is a folder that holds a model as transformers or timm saves it. */
export function isModelFolder(path: string): boolean {
  return isFolder(path) && weightsIn(versionIn(path)) !== undefined;
}

/**
 * Reads a model under MAE's names, whoever saved it: a file of tensors (.safetensors, or PyTorch's of either kind), a folder of
 * transformers or timm, or one of its files.
 *
 * @throws UserError as `readTensors`, or where there is no model, or not all of it, or its configuration is of another
 */
export function readModelFile(path: string): Safetensors {
  const folder = isFolder(path) ? versionIn(path) : dirname(path);
  const file = isFolder(path) ? weightsIn(folder) : path;
  if (file === undefined) {
    throw new UserError(
      `${path} is a folder without a model: none of ${WEIGHTS.join(', ')} is in it. Give a file, or the folder of a model.`,
    );
  }
  const isLibraryFile = WEIGHTS.some((name) => name === basename(file));
  const tensors = file.endsWith('.index.json') ? readShards(file) : readTensors(file);
  // Beside a file of another name, a config.json may be of anything.
  return completeModel(tensors, path, (naming) =>
    naming === 'transformers' || isLibraryFile ? configFilesIn(folder) : {},
  );
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

/** Of a folder of the hub's cache, the current version. */
function versionIn(folder: string): string {
  const current = join(folder, 'refs', 'main');
  return existsSync(current) ? join(folder, 'snapshots', readFileSync(current, 'utf8').trim()) : folder;
}

function weightsIn(folder: string): string | undefined {
  return WEIGHTS.map((name) => join(folder, name)).find((path) => existsSync(path));
}

function configFilesIn(folder: string): ModelConfigFiles {
  return {
    config: readJson(join(folder, 'config.json')),
    preprocessor: readJson(join(folder, 'preprocessor_config.json')),
  };
}

function readShards(index: string): Safetensors {
  const places = readJson(index)?.['weight_map'];
  if (typeof places !== 'object' || places === null) {
    throw new UserError(
      `${index} does not say where its tensors lie: it has no "weight_map". Copy or download it again.`,
    );
  }
  const entries = Object.entries(places as Json).map(([name, shard]) => [name, String(shard)] as const);
  const tensors = new Map<string, StoredTensor>();
  let metadata: Safetensors['metadata'] = {};
  for (const shard of new Set(entries.map(([, each]) => each))) {
    const path = join(dirname(index), shard);
    if (!existsSync(path)) {
      throw new UserError(`${index} names ${shard}, which is not beside it. Copy or download all of its shards.`, {
        usage: true,
      });
    }
    const file = readTensors(path);
    metadata = { ...metadata, ...file.metadata };
    for (const [name] of entries.filter(([, each]) => each === shard)) {
      const tensor = file.tensors.get(name);
      if (!tensor)
        throw new UserError(
          `${path} has no tensor '${name}', which ${index} says is in it. Copy or download both again.`,
        );
      tensors.set(name, tensor);
    }
  }
  return { tensors, metadata };
}

/** A JSON object from a file; undefined where there is no such file. */
function readJson(path: string): Json | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new UserError(`${path} cannot be read: ${reason(error)}.`);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  } catch (error) {
    throw new UserError(`${path} is not JSON: ${reason(error)}. Copy or download it again.`);
  }
  throw new UserError(`${path} holds no JSON object. Copy or download it again.`);
}
