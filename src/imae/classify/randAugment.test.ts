import { describe, expect, it } from 'vitest';
import { OPERATION } from '../../ops/randAugment';
import { drawOperations, LAWS } from './randAugment';

const [BATCH, SIDE] = [50, 32];
const STEPS = 1200;

type Row = readonly number[];

const rowsOf = (drawn: Float32Array): Row[] =>
  Array.from({ length: BATCH }, (_, i) => [...drawn.subarray(8 * i, 8 * i + 8)]);

/** The published name of what a row does. */
function nameOf([operation, a = 0, b = 0, c = 0, d = 0]: Row): string {
  if (operation === OPERATION.solarize) return a === 0 ? 'invert' : 'solarize';
  if (operation === OPERATION.affine)
    return b !== 0 ? (d !== 0 ? 'rotate' : 'shearX') : d !== 0 ? 'shearY' : c !== 0 ? 'translateX' : 'translateY';
  return Object.entries(OPERATION).find(([, number]) => number === operation)?.[0] ?? '';
}

/** Rows of all steps of one layer, by name. */
function drawnBy(layer: number): Map<string, Row[]> {
  const rows = Array.from({ length: STEPS }, (_, step) =>
    rowsOf(drawOperations(7, step, BATCH, SIDE)[layer] as Float32Array),
  ).flat();
  const byName = new Map<string, Row[]>();
  for (const row of rows) {
    const name = nameOf(row);
    const known = byName.get(name);
    if (known) known.push(row);
    else byName.set(name, [row]);
  }
  return byName;
}

describe('the law of RandAugment', () => {
  const layers = [0, 1].map((layer) => drawnBy(layer));

  it('does something half of the time, each of fifteen operations as often, in both layers', () => {
    const draws = STEPS * BATCH;
    // Five deviations of a share p of n draws.
    const near = (found: number | undefined, p: number): void =>
      expect(Math.abs((found ?? 0) / draws - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / draws));
    const names = Object.keys(LAWS);
    expect(names).toHaveLength(15);
    expect(layers).toHaveLength(2);
    for (const layer of layers) {
      expect(new Set(layer.keys())).toEqual(new Set(['nothing', ...names]));
      near(layer.get('nothing')?.length, 0.5);
      for (const name of names) near(layer.get(name)?.length, 0.5 / 15);
    }
  });

  it('the layers choose apart', () => {
    const both = Array.from({ length: STEPS }, (_, step) => drawOperations(7, step, BATCH, SIDE).map(rowsOf)).flatMap(
      ([first = [], second = []]) =>
        first.map((row, i) => row[0] === OPERATION.nothing && second[i]?.[0] === OPERATION.nothing),
    );
    const share = both.filter(Boolean).length / both.length;
    expect(Math.abs(share - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / both.length));
  });

  it.each([
    ['shearX', 2, 0, 0.3],
    ['shearY', 4, 0, 0.3],
    ['translateX', 3, 0, 0.45 * SIDE],
    ['translateY', 6, 0, 0.45 * SIDE],
    ['brightness', 1, 1, 0.9],
    ['contrast', 1, 1, 0.9],
    ['colour', 1, 1, 0.9],
    ['sharpness', 1, 1, 0.9],
    ['rotate', 4, 0, Math.sin(Math.PI / 6)],
  ])('%s goes either way as often, by magnitudes around 9 of 10', (name, at, neutral, most) => {
    const severities = (layers[0]?.get(name) ?? []).map((row) => ((row[at] as number) - neutral) / most);
    const signed = severities.filter((severity) => severity < 0).length / severities.length;
    expect(Math.abs(signed - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / severities.length));
    expect(Math.max(...severities.map(Math.abs))).toBeLessThanOrEqual(1 + 1e-6);
    const mean = severities.reduce((sum, severity) => sum + Math.abs(severity), 0) / severities.length;
    // Five errors of a mean of deviation 0.05; what is held at 10 takes 0.0004 off, a sine's bend 0.014 on.
    expect(Math.abs(mean - (name === 'rotate' ? 0.908 : 0.9))).toBeLessThan(
      5 * (0.05 / Math.sqrt(severities.length)) + 0.002,
    );
  });

  it('gives bytes the published thresholds', () => {
    const at = (name: string, severity: number): Row => LAWS[name]?.row(severity, SIDE) ?? [];
    // Bits kept: 4 at the least, 1 at nine tenths, none at the most.
    expect([0, 0.9, 1].map((severity) => at('posterize', severity)[1])).toEqual([2 ** 4, 2 ** 7, 2 ** 8]);
    expect([0, 0.9, 1].map((severity) => at('solarize', severity)[1])).toEqual([256, 26, 0]);
    expect([0, 0.9, 1].map((severity) => at('solarizeAdd', severity)[1])).toEqual([0, 99, 110]);
  });

  it('rotates around the middle', () => {
    const [, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = LAWS['rotate']?.row(1, SIDE) ?? [];
    expect([a * 16 + b * 16 + c, d * 16 + e * 16 + f].map((value) => Math.round(value * 1e9) / 1e9)).toEqual([16, 16]);
    expect(a * a + d * d).toBeCloseTo(1, 12);
    expect([b, e]).toEqual([-d, a]);
  });

  it('is drawn by seed and step alone', () => {
    expect(drawOperations(1, 2, 20, SIDE)).toEqual(drawOperations(1, 2, 20, SIDE));
    expect(drawOperations(1, 3, 20, SIDE)).not.toEqual(drawOperations(1, 2, 20, SIDE));
    expect(drawOperations(2, 2, 20, SIDE)).not.toEqual(drawOperations(1, 2, 20, SIDE));
  });
});
