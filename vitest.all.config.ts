import { configDefaults } from 'vitest/config';
import quick from './vitest.config';

/** Every test, the long ones too. */
export default {
  ...quick,
  test: { ...quick.test, exclude: configDefaults.exclude, testTimeout: 600_000, hookTimeout: 600_000 },
};
