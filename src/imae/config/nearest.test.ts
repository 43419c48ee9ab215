import { expect, test } from 'vitest';
import { nearest } from './nearest';

test.each([
  ['epohcs', 'epochs'],
  ['modle', 'model'],
  ['Steps', 'steps'],
  ['optimiser', 'optimizer'],
])('%s is taken for %s', (word, meant) => {
  expect(nearest(word, ['steps', 'epochs', 'model', 'optimizer'])).toBe(meant);
});

test('what is like nothing stays without a guess', () => {
  expect(nearest('xyz', ['steps', 'epochs'])).toBeUndefined();
  expect(nearest('', ['steps'])).toBeUndefined();
});
