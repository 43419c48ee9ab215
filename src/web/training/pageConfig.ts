import { UserError } from '../../common/userError';
import { phasesOf, planIfKnown, resolveConfig, type Config } from '../../imae/config/config';
import { assertFits, builtInSize, type SetSize } from '../../imae/train/trainingData';
import type { KnownImages } from './givenImages';

/** Whether a run's images are files that somebody has to give, not the built-in drawings. */
export function asksForImages({ data }: Config): boolean {
  return data.set !== 'shapes';
}

/** What the training images of a run are, before they are drawn or decoded. @param images those that were given, where it asks for some */
export function trainingSize(config: Config, images: KnownImages | undefined): SetSize {
  if (!images) return builtInSize(config);
  const { name, count, side = config.model.image } = images;
  return { name, count, width: side, height: side, channels: 3 };
}

/**
 * Looks whether a page can train what a configuration asks for.
 *
 * @param source what messages call the configuration
 * @param images those that were given; without, where it asks for some, it cannot be told yet whether they fit
 * @throws UserError where its teacher is a file, or it does not fit its images
 */
export function assertForPage(config: Config, source: string, images?: KnownImages): void {
  const { teacher } = config;
  if (teacher.checkpoint !== null) {
    throw new UserError(
      `${source} takes its teacher from the file ${teacher.checkpoint}, which a page cannot read. Train it in Node.`,
    );
  }
  if (images || !asksForImages(config)) assertFits(config, trainingSize(config, images));
}

type Intervals = Omit<Config['logging'], 'log'>;

/**
 * The configuration with logging as a page wants it, where something is to be seen all the time. What differs from its
 * preset was meant, and stays. A run's bits do not depend on it.
 *
 * @param count training images
 */
export function withLiveLogging(config: Config, count: number): Config {
  const { logging } = resolveConfig([{ source: 'preset', values: { preset: config.preset } }]);
  const steps = Math.max(...phasesOf(config).map((phase) => planIfKnown(config, phase, count)?.steps ?? 0));
  const live = (name: keyof Intervals, interval: number): number =>
    config.logging[name] === logging[name] ? interval : config.logging[name];
  return {
    ...config,
    logging: {
      ...config.logging,
      logEvery: live('logEvery', Math.max(1, Math.round(steps / 1000))),
      scoreEvery: live('scoreEvery', Math.max(10, Math.round(steps / 20))),
      checkpointEvery: live('checkpointEvery', Math.max(10, Math.round(steps / 10))),
      panelsEvery: live('panelsEvery', Math.max(5, Math.round(steps / 40))),
    },
  };
}
