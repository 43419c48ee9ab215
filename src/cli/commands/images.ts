import { resolveConfig, type Config } from '../../imae/config/config';
import { choice, nullable, text } from '../../imae/config/optionKinds';
import { commandOption, type ValuesOf } from './command';

/** Options by which a user says which images a command works on. */
export const IMAGES_OPTIONS = {
  data: commandOption(
    nullable(text('PATH', 'a folder, an archive or the word shapes'), 'none'),
    null,
    'image set; that of the run',
  ),
  broken: commandOption(
    nullable(choice('stop', 'skip'), 'auto'),
    null,
    'image files that cannot be decoded: stop, or take another image of the class; as the run did, else stop',
  ),
};

/** A configuration with the images that the user names in place of its own. */
export function withImages(config: Config, { data: set, broken }: ValuesOf<typeof IMAGES_OPTIONS>): Config {
  const { preset, ...settings } = config;
  const given = { ...(set === null ? {} : { set }), ...(broken === null ? {} : { broken }) };
  return resolveConfig([{ source: 'config', values: { preset, ...settings, data: { ...settings.data, ...given } } }]);
}
