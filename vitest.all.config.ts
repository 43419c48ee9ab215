import quick from './vitest.config';

/** The same tests, with the time that the longest of them take. */
export default { ...quick, test: { ...quick.test, testTimeout: 600_000, hookTimeout: 600_000 } };
