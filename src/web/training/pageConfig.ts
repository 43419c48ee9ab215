import { UserError } from '../../files/userError';
import { phasesOf, planIfKnown, resolveConfig, type Config } from '../../imae/config';
import { assertFits, BUILT_IN, builtInSize } from '../../imae/trainingData';

/**
 * Looks whether a page can train what a configuration asks for.
 *
 * @param source what messages call the configuration
 * @throws UserError where it needs files of a disk, or does not fit the built-in images
 */
export function assertForPage(config: Config, source: string): void {
  const { data, teacher } = config;
  if (data.set !== 'shapes') {
    const images = data.set === null ? 'images from a disk' : `the images ${data.set}`;
    throw new UserError(`${source} asks for ${images}. This page trains on the built-in drawings ("data": {"set": "shapes"}); train it in Node.`);
  }
  if (teacher.checkpoint !== null) {
    throw new UserError(`${source} takes its teacher from the file ${teacher.checkpoint}, which a page cannot read. Train it in Node.`);
  }
  assertFits(config, builtInSize(config));
}

/**
 * The configuration with logging as a page wants it, where something is to be seen all the time. What differs from its
 * preset was meant, and stays. A run's bits do not depend on it.
 */
export function withLiveLogging(config: Config): Config {
  const { logging } = resolveConfig([{ source: 'preset', values: { preset: config.preset } }]);
  const steps = Math.max(...phasesOf(config).map((phase) => planIfKnown(config, phase, BUILT_IN.trainCount)?.steps ?? 0));
  const live: Config['logging'] = {
    logEvery: Math.max(1, Math.round(steps / 1000)),
    scoreEvery: Math.max(10, Math.round(steps / 20)),
    checkpointEvery: Math.max(10, Math.round(steps / 10)),
    panelsEvery: Math.max(5, Math.round(steps / 40)),
  };
  const keys = Object.keys(live) as (keyof typeof live)[];
  const chosen = keys.map((key) => [key, config.logging[key] === logging[key] ? live[key] : config.logging[key]] as const);
  return { ...config, logging: Object.fromEntries(chosen) as unknown as Config['logging'] };
}
