import type { PeerCell, PeerResult } from './runPeers';
import { RATE_ROW } from './rows';

/** Stands at the end of a row in which another engine is as fast as ours or faster. */
export const BEHIND = '◀ not ahead';

type Timed = Extract<PeerCell, { readonly microseconds: number }>;

const isTimed = (cell: PeerCell | undefined): cell is Timed => cell !== undefined && 'microseconds' in cell;

/** Whether every other engine that does the row's work takes longer than ours. */
export function isAhead({ cells: [ours, ...peers] }: PeerResult): boolean {
  return isTimed(ours) && peers.filter(isTimed).every(({ ratio }) => ratio !== null && ratio > 1);
}

/** A row's cells in words, one an engine; the peers' with how many times as long as ours they take. */
export function peerCells({ cells }: PeerResult): string[] {
  return cells.map((cell, index) => {
    if ('failure' in cell) return 'FAILED';
    if ('absent' in cell) return '–';
    const time = `${digits(cell.microseconds)} ± ${(100 * cell.spread).toFixed(0)} %`;
    return index === 0 ? time : `${time} ${ratioText(cell.ratio)}`;
  });
}

function ratioText(ratio: number | null): string {
  return ratio === null ? '–' : `${digits(ratio)}×`;
}

/** Of a training step, how long each engine took until it ran: what its first steps compile is no part of the times. */
export function readyLine({ kernel, cells }: PeerResult): string | undefined {
  if (kernel !== 'step' && kernel !== 'example') return undefined;
  const ready = cells.filter(isTimed).map(({ engine, ready: seconds }) => `${engine} ${digits(seconds)} s`);
  return ready.length > 0 ? ready.join(', ') : undefined;
}

/** Why engines failed in a row, a line each. */
export function failureLines({ kernel, name, cells }: PeerResult): string[] {
  return cells.flatMap((cell) => ('failure' in cell ? [`${cell.engine}, ${kernel} ${name}: ${cell.failure}`] : []));
}

/**
 * What is said of all rows together: where ours is not ahead, and our training step's rate beside that of our own matmul
 * in the same run.
 */
export function summaryLines(results: readonly PeerResult[]): string[] {
  const behind = results.filter((result) => !isAhead(result));
  const lines = [
    behind.length === 0
      ? `ahead of every other engine in all ${results.length} rows`
      : `ahead in ${results.length - behind.length} of ${results.length} rows; not in ${behind.map(({ kernel, name }) => `${kernel} ${name}`).join('; ')}`,
  ];
  const step = results.find(({ kernel }) => kernel === 'step');
  const product = results.find(({ name }) => name === RATE_ROW);
  const rate = step && gflops(step);
  if (rate === undefined) return lines;
  const own = product && gflops(product);
  const share =
    own === undefined ? '' : `, ${Math.round((100 * rate) / own)} % of the ${digits(own)} GFLOP/s of ${RATE_ROW}`;
  return [...lines, `our training step runs at ${digits(rate)} GFLOP/s${share}`];
}

/** Ours. */
function gflops({ flops, cells: [ours] }: PeerResult): number | undefined {
  return isTimed(ours) ? flops / ours.microseconds / 1e3 : undefined;
}

/** Three significant digits, without an exponent. */
function digits(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}
