import type { BranchScore, UnmixingScore } from '../imae/eval/unmixing';

/** One line: how much better than the mean image each branch is, and whether it beats all that it must. */
export function describeScore(score: UnmixingScore): string {
  const branches = branchesOf(score).map(([name, branch]) => `${name} ${branch.score.toFixed(2)}`);
  return `unmixing score ${branches.join(', ')}: ${verdict(score)}`;
}

/** A small table: each branch's error beside the three that it must beat: to the other image, of the mean image, of the mixture. */
export function scoreTable(score: UnmixingScore): string {
  const rows = branchesOf(score).map(([name, { own, other, mean, mixture, score: value }]) => [
    name,
    value.toFixed(2),
    ...[own, other, mean, mixture].map((error) => error.toFixed(3)),
  ]);
  const table = [['', 'score', 'error', 'other', 'mean', 'mixed'], ...rows];
  const lines = table.map(
    ([name = '', ...cells]) => `${name.padEnd(11)} ${cells.map((cell) => cell.padStart(6)).join(' ')}`,
  );
  const rule = 'Taken apart: in every row, an error\n  below all three to its right.';
  return [`${verdict(score)}, by held-out pairs:`, ...lines, rule].join('\n  ');
}

function verdict({ takenApart }: UnmixingScore): string {
  return takenApart ? 'taken apart' : 'not taken apart';
}

function branchesOf({ subordinate, dominant }: UnmixingScore): [string, BranchScore][] {
  return [['subordinate', subordinate], ...(dominant ? [['dominant', dominant] as [string, BranchScore]] : [])];
}
