import { expect, it } from 'vitest';
import { lineOf, whatAllAdds } from './whatRan';

it('says what ran, and what more there is', () => {
  expect(lineOf(1234, 252.4, whatAllAdds(1381))).toBe(
    '1,234 tests ran in 4:12; npm run test:all adds 1,381 tests: more shapes, seeds and rarer paths.',
  );
  expect(lineOf(1, 59.7, whatAllAdds(0))).toBe('1 test ran in 1:00.');
});
