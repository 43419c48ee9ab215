/** What the columns of a sheet of panels are called. */
export const COLUMNS = {
  image: 'image',
  mixture: 'mixture',
  seen: 'what the model sees, hidden patches hatched',
  composite: 'composite',
  subordinate: 'subordinate, composite',
  dominant: 'dominant, composite',
  raw: 'subordinate, raw reconstruction',
  pasted: 'clean visible patches pasted in: contains ground truth',
  subordinateTarget: 'subordinate, target',
  dominantTarget: 'dominant, target',
} as const;
