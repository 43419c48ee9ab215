import type { UnaryReference } from './unary.reference';

export const relu: UnaryReference = {
  value: (x) => Math.max(x, 0),
  slope: (x) => (x > 0 ? 1 : 0),
  low: -3,
  high: 3,
};
