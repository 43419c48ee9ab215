import { counted } from '../../common/format';
import type { Safetensors } from '../../formats/safetensors';
import type { NamedParameter } from '../../nn/module';
import { gridsOf } from './checkpoint';
import type { NamedFile } from './namedFile';

/** What became of a file's tensors when a model was filled from it. */
export interface LoadReport {
  /** Names in the file. */
  readonly used: readonly string[];
  /** Of them, positions that were interpolated: patches a side that the file has, and that the model has. */
  readonly interpolated: readonly { readonly name: string; readonly from: number; readonly to: number }[];
  /** Parameters of the model that the file does not have, whatever took their place. */
  readonly missing: readonly string[];
  /** Names in the file of which the model has no use. */
  readonly leftOver: readonly string[];
}

/** What filling a model of these parameters from a file comes to. */
export function reportLoad(file: Safetensors, specs: readonly NamedParameter[]): LoadReport {
  const wanted = new Set(specs.map(({ name }) => name));
  const names = [...file.tensors.keys()];
  return {
    used: names.filter((name) => wanted.has(name)),
    interpolated: specs.flatMap(({ name, shape }) => {
      const grids = gridsOf(file, name, shape);
      return grids ? [{ name, from: grids[0], to: grids[1] }] : [];
    }),
    missing: [...wanted].filter((name) => !file.tensors.has(name)),
    leftOver: [...names.filter((name) => !wanted.has(name)), ...outsideOf(file)],
  };
}

/** Names that were left out when the file was opened: `completeModel` tells them. */
function outsideOf({ metadata }: Safetensors): readonly string[] {
  return metadata['outside']?.split('\n') ?? [];
}

/** What became of a file's tensors, with the file's name before it. */
export function describeLoaded({ name, file }: NamedFile, specs: readonly NamedParameter[]): string {
  return `${name}: ${describeLoad(reportLoad(file, specs))}`;
}

/** In one line: `150 tensors used; pos_embed interpolated from 14 × 14 to 4 × 4 patches; left over: decoder_blocks (96), mask_token`. */
export function describeLoad({ used, interpolated, missing, leftOver }: LoadReport): string {
  return [
    `${counted(used.length, 'tensor')} used`,
    ...interpolated.map(({ name, from, to }) => `${name} interpolated from ${from} × ${from} to ${to} × ${to} patches`),
    ...(missing.length > 0 ? [`missing: ${groupedNames(missing)}`] : []),
    ...(leftOver.length > 0 ? [`left over: ${groupedNames(leftOver)}`] : []),
  ].join('; ');
}

/** Names by what they begin with, and how many each; of more groups than `most`, the first. */
export function groupedNames(names: readonly string[], most = Infinity): string {
  const counts = new Map<string, number>();
  for (const name of names) {
    const group = name.split('.')[0] ?? name;
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const groups = [...counts].map(([group, count]) => (count === 1 ? group : `${group} (${count})`));
  return groups.length > most ? `${groups.slice(0, most).join(', ')} and more` : groups.join(', ') || 'no tensors';
}
