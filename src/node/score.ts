import type { BranchScore, UnmixingScore } from '../imae/unmixing';

/** One line: how much better than the mean image each branch is, and whether it beats all that it must. */
export function describeScore(score: UnmixingScore): string {
  const branches = branchesOf(score).map(([name, branch]) => `${name} ${branch.score.toFixed(2)}`);
  return `unmixing score ${branches.join(', ')}: ${verdict(score)}`;
}

/** A small table: each branch's error beside the three that it must beat. */
export function scoreTable(score: UnmixingScore): string {
  const rows = branchesOf(score).map(([name, { own, other, mean, mixture, score: value }]) => [
    name,
    value.toFixed(2),
    ...[own, other, mean, mixture].map((error) => error.toFixed(3)),
  ]);
  const table = [['', 'score', 'error', 'to other', 'mean image', 'mixture'], ...rows];
  const lines = table.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(12) : cell.padStart((table[0]?.[column]?.length ?? 0) + 2))).join(''),
  );
  const rule = 'Taken apart means an error below all three to its right, in every row.';
  return [`${verdict(score)}, by held-out pairs:`, ...lines, rule].join('\n          ');
}

function verdict({ takenApart }: UnmixingScore): string {
  return takenApart ? 'taken apart' : 'not taken apart';
}

function branchesOf({ subordinate, dominant }: UnmixingScore): [string, BranchScore][] {
  return [['subordinate', subordinate], ...(dominant ? [['dominant', dominant] as [string, BranchScore]] : [])];
}
