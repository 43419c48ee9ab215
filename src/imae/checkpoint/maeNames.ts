import type { Safetensors, StoredTensor } from '../../formats/safetensors';
import { UserError } from '../../common/userError';
import { maeName, PATCH_WEIGHT, TRANSFORMERS_ENCODER, TRANSFORMERS_PATCH_WEIGHT } from './names';

/** By whose names a file was saved. */
export type Naming = 'mae' | 'transformers';

/** A file's tensors under MAE's names. */
export interface Renamed {
  readonly tensors: Map<string, StoredTensor>;
  readonly naming: Naming;
  /** Names of what is left out, since it does not lie where the encoder does: other networks, losses, whatever they are called. */
  readonly outside: readonly string[];
}

/** What belongs to a model wherever it stands. */
const DECODER_OR_HEAD = /^(mask_token$|decoder_|(head|fc_norm)\.(weight|bias)$)/;

/**
 * The tensors of a model under MAE's names, whoever saved it: transformers' names are translated, their queries, keys and
 * values joined (when they are read, so that no more memory is taken than the file's), and what stands before all of an
 * encoder's names is left out (`model.`, `encoder.`, `module.backbone.`).
 *
 * @param source what messages call the file
 * @throws UserError where there are several encoders, or a name twice
 */
export function underMaeNames(file: Safetensors, source: string): Renamed {
  const { tensors } = file;
  const isPlain = tensors.has(PATCH_WEIGHT) || file.metadata['run'] !== undefined; // a state of an optimizer names what it is of
  const encoder = isPlain ? undefined : findEncoder([...tensors.keys()], source);
  if (!encoder) return { tensors, naming: 'mae', outside: [] };
  const { prefix, naming } = encoder;
  const { inner, outside } = withoutPrefix(tensors, prefix, source);
  return { tensors: naming === 'transformers' ? translate(inner, source) : inner, naming, outside };
}

/** An encoder in a file: what stands before its names, and whose they are. */
interface FoundEncoder {
  readonly prefix: string;
  readonly naming: Naming;
}

/** The one encoder in a file, by what its first weight is called. */
function findEncoder(names: readonly string[], source: string): FoundEncoder | undefined {
  const found = names.flatMap((name): FoundEncoder[] => {
    const mae = prefixOf(name, PATCH_WEIGHT);
    if (mae !== undefined) return [{ prefix: mae, naming: 'mae' }];
    const transformers = prefixOf(name, TRANSFORMERS_PATCH_WEIGHT);
    if (transformers === undefined) return [];
    return [{ prefix: prefixOf(transformers, TRANSFORMERS_ENCODER) ?? transformers, naming: 'transformers' }];
  });
  const plain = found.find(({ prefix }) => prefix === '');
  if (plain || found.length <= 1) return plain ?? found[0];
  throw new UserError(
    `${source} holds ${found.length} encoders, whose names begin with ${found.map(({ prefix }) => `'${prefix}'`).join(', ')}. ` +
      'Give a file with one of them.',
  );
}

/** What stands before a part of a name, with its dot; undefined where the name does not end so. */
function prefixOf(name: string, end: string): string | undefined {
  const prefix = name.endsWith(end) ? name.slice(0, -end.length) : undefined;
  return prefix === '' || prefix?.endsWith('.') ? prefix : undefined;
}

function withoutPrefix(
  tensors: ReadonlyMap<string, StoredTensor>,
  prefix: string,
  source: string,
): { readonly inner: Map<string, StoredTensor>; readonly outside: readonly string[] } {
  const inner = new Map<string, StoredTensor>();
  const outside: string[] = [];
  for (const [name, tensor] of tensors) {
    const isInside = name.startsWith(prefix);
    if (!isInside && !DECODER_OR_HEAD.test(name)) {
      outside.push(name);
      continue;
    }
    const shorter = isInside ? name.slice(prefix.length) : name;
    if (inner.has(shorter)) {
      throw new UserError(
        `${source} has both '${shorter}' and '${prefix}${shorter}', so that it is not plain which is the model's. Give a file with one model.`,
      );
    }
    inner.set(shorter, tensor);
  }
  return { inner, outside };
}

/** What transformers saved, under MAE's names. */
function translate(tensors: ReadonlyMap<string, StoredTensor>, source: string): Map<string, StoredTensor> {
  const found = new Map<string, StoredTensor[]>();
  const translated = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    const place = maeName(name);
    if (place?.parts === 1 || !place) {
      translated.set(place?.mae ?? name, tensor);
      continue;
    }
    const { mae, part, parts } = place;
    const all = found.get(mae) ?? new Array<StoredTensor>(parts);
    all[part] = tensor;
    found.set(mae, all);
  }
  for (const [name, parts] of found) translated.set(name, joined(parts, name, source));
  return translated;
}

/** Tensors one below the other, copied when they are asked for. */
function joined(parts: readonly (StoredTensor | undefined)[], name: string, source: string): StoredTensor {
  const [first] = parts;
  const whole = parts.filter((part) => part?.dtype === first?.dtype && part?.shape.join() === first?.shape.join());
  const given = whole.filter((part) => part !== undefined);
  if (!first || given.length < parts.length) {
    throw new UserError(
      `${source} lacks one of query, key and value of '${name}', or they are of several shapes. Give the whole file.`,
    );
  }
  const [rows = 0, ...rest] = first.shape;
  return {
    dtype: first.dtype,
    shape: [rows * parts.length, ...rest],
    get bytes() {
      const bytes = new Uint8Array(first.bytes.length * given.length);
      for (const [index, part] of given.entries()) bytes.set(part.bytes, index * first.bytes.length);
      return bytes;
    },
  };
}
