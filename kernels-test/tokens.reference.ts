import { zeros, type Reference } from './allclose';

/** Rows of L, one after the other; sample s uses row s mod their number. */
type Ids = Uint32Array;

function idsOf(ids: Ids, length: number, sample: number): Ids {
  return ids.subarray((sample * length) % ids.length).subarray(0, length);
}

/** target's row += source's row; a row is the last axis. */
function addRow(target: Reference, targetRow: number, source: Reference, sourceRow: number): void {
  const width = source.shape.at(-1) ?? 1;
  for (let i = 0; i < width; i++) {
    const at = targetRow * width + i;
    target.data[at] = (target.data[at] as number) + (source.data[sourceRow * width + i] as number);
  }
}

const extents = ({ shape }: Reference): [number, number, number] => [shape[0] ?? 0, shape[1] ?? 0, shape[2] ?? 0];

export function keepTokens(x: Reference, ids: Ids, keep: number): Reference {
  const [samples, length, width] = extents(x);
  const y = zeros([samples, keep, width]);
  for (let s = 0; s < samples; s++) {
    const order = idsOf(ids, length, s);
    for (let k = 0; k < keep; k++) addRow(y, s * keep + k, x, s * length + (order[k] as number));
  }
  return y;
}

export function keepTokensBackward(x: Reference, ids: Ids, dy: Reference): Reference {
  const [samples, length] = extents(x);
  const [, keep] = extents(dy);
  const dx = zeros(x.shape);
  for (let s = 0; s < samples; s++) {
    const order = idsOf(ids, length, s);
    for (let k = 0; k < keep; k++) addRow(dx, s * length + (order[k] as number), dy, s * keep + k);
  }
  return dx;
}

export type VisibleInputs = { patches: Reference; classToken: Reference };

export function visibleTokens({ patches, classToken }: VisibleInputs, positions: Reference, ids: Ids): Reference {
  const [samples, keep, width] = extents(patches);
  const length = (positions.shape[1] ?? 0) - 1;
  const y = zeros([samples, 1 + keep, width]);
  for (let s = 0; s < samples; s++) {
    const first = s * (1 + keep);
    addRow(y, first, classToken, 0);
    addRow(y, first, positions, 0);
    for (let k = 0; k < keep; k++) {
      addRow(y, first + 1 + k, patches, s * keep + k);
      addRow(y, first + 1 + k, positions, 1 + (idsOf(ids, length, s)[k] as number));
    }
  }
  return y;
}

export function visibleTokensBackward({ patches, classToken }: VisibleInputs, dy: Reference): VisibleInputs {
  const [samples, keep] = extents(patches);
  const dPatches = zeros(patches.shape);
  const dClassToken = zeros(classToken.shape);
  for (let s = 0; s < samples; s++) {
    addRow(dClassToken, 0, dy, s * (1 + keep));
    for (let k = 0; k < keep; k++) addRow(dPatches, s * keep + k, dy, s * (1 + keep) + 1 + k);
  }
  return { patches: dPatches, classToken: dClassToken };
}

/** The gradient of positions where every patch is visible, in image order. */
export function positionsBackward({ patches }: VisibleInputs, dy: Reference): Reference {
  const [samples, keep, width] = extents(patches);
  const dPositions = zeros([1, 1 + keep, width]);
  for (let s = 0; s < samples; s++) {
    for (let t = 0; t <= keep; t++) addRow(dPositions, t, dy, s * (1 + keep) + t);
  }
  return dPositions;
}

export type RestoreInputs = { tokens: Reference; maskToken: Reference };

export function restoreTokens({ tokens, maskToken }: RestoreInputs, positions: Reference, ids: Ids): Reference {
  const [samples, visible, width] = extents(tokens);
  const length = (positions.shape[1] ?? 0) - 1;
  const y = zeros([samples, 1 + length, width]);
  for (let s = 0; s < samples; s++) {
    const first = s * (1 + length);
    addRow(y, first, tokens, s * visible);
    idsOf(ids, length, s).forEach((place, i) => {
      if (place < visible - 1) addRow(y, first + 1 + i, tokens, s * visible + 1 + place);
      else addRow(y, first + 1 + i, maskToken, 0);
    });
    for (let t = 0; t <= length; t++) addRow(y, first + t, positions, t);
  }
  return y;
}

export function restoreTokensBackward({ tokens, maskToken }: RestoreInputs, ids: Ids, dy: Reference): RestoreInputs {
  const [samples, visible] = extents(tokens);
  const length = (dy.shape[1] ?? 0) - 1;
  const dTokens = zeros(tokens.shape);
  const dMaskToken = zeros(maskToken.shape);
  for (let s = 0; s < samples; s++) {
    const first = s * (1 + length);
    addRow(dTokens, s * visible, dy, first);
    idsOf(ids, length, s).forEach((place, i) => {
      if (place < visible - 1) addRow(dTokens, s * visible + 1 + place, dy, first + 1 + i);
      else addRow(dMaskToken, 0, dy, first + 1 + i);
    });
  }
  return { tokens: dTokens, maskToken: dMaskToken };
}
