import { deviceless } from './tools/deviceless';
import every from './vitest.config';

/** The tests that need no device: nothing opens one for them either. */
export default {
  ...every,
  test: { ...every.test, include: deviceless(), globalSetup: [], setupFiles: [] },
};
