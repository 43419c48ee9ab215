import { digestImages, type TrainTest } from '../../data/imageSet';
import { UserError } from '../../common/userError';
import { digestTensors } from '../checkpoint/checkpoint';
import { isRecording, type Config } from '../config/config';
import { OPTION_LIST } from '../config/options';
import type { NamedFile } from '../checkpoint/namedFile';

/** What the bits of a run follow from, but for the adapter. */
export interface RunIdentity {
  /** Settings by `section.key`, as JSON. */
  readonly settings: Readonly<Record<string, string>>;
  /** Digest of all images and labels. */
  readonly data: string;
  /** Digest of a given teacher's weights. */
  readonly teacher: string | null;
}

/**
 * Sections and settings that say on what a run computes and in how much memory, what it reports and where its files lie.
 * They may change when a run goes on; no other may, since then it would be another run.
 */
const CHANGEABLE: ReadonlySet<string> = new Set([
  'logging',
  'device.adapter',
  'training.recompute',
  'data.set',
  'data.labelColumn', // the digest of the data has the labels
  'data.stream',
  'data.workers',
  'data.broken',
  'teacher.checkpoint',
]);

/** Whether a resumed run may have another value of a setting. */
export function isChangeable(section: string, key: string): boolean {
  return CHANGEABLE.has(section) || CHANGEABLE.has(`${section}.${key}`);
}

/** The settings that the bits of a run follow from, by `section.key`, as JSON. */
export function identifySettings(config: Config): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const [section, values] of Object.entries(config)) {
    if (section === 'preset') continue;
    for (const [key, value] of Object.entries(values)) {
      if (!isChangeable(section, key)) settings[`${section}.${key}`] = JSON.stringify(value);
    }
  }
  // Of the fast kernels, those that measurement chooses among give the same bits.
  if (isRecording(config.device.kernels)) settings['device.kernels'] = JSON.stringify('fast');
  return settings;
}

/** A digest of all images and labels of a set's two parts, and what has decoded them where that was not Node. */
export async function identifyData({ train, test }: TrainTest): Promise<string> {
  const decoder = train.decoder === undefined ? '' : `${DECODED_BY}${train.decoder}`;
  return `${await digestImages(train)} ${await digestImages(test)}${decoder}`;
}

const DECODED_BY = ' decoded by ';
const decoderOf = (data: string): string => data.split(DECODED_BY)[1] ?? 'Node';

/** @param teacher the one that the user gave, not one that the run trains itself */
export async function identify(config: Config, data: TrainTest, teacher: NamedFile | undefined): Promise<RunIdentity> {
  return {
    settings: identifySettings(config),
    data: await identifyData(data),
    teacher: teacher ? await digestTensors(teacher.file) : null,
  };
}

/**
 * Refuses to go on with a checkpoint under another configuration, data set or teacher than it was made with: the run
 * would silently be neither the old nor the new one.
 *
 * @param state the checkpoint's state, which carries an identity in its metadata
 * @param changed settings, as `optimizer.learningRate`, that are meant to differ from here on
 * @throws UserError that names what changed
 */
export function assertSameRun(
  { name, file }: NamedFile,
  now: RunIdentity,
  changed: ReadonlySet<string> = new Set(),
): void {
  const then = parse(file.metadata['run']);
  if (!then)
    throw new UserError(`${name} does not say which run it is of. It was not saved by this program: start a new run.`);
  for (const [setting, value] of Object.entries(now.settings)) {
    const before = then.settings[setting] ?? valueBefore(setting);
    if (before === value || changed.has(setting)) continue;
    throw new UserError(
      `${setting} is ${value}, but the checkpoint was trained with ${before ?? 'a version that had no such setting'}. ` +
        'A resumed run goes on bit for bit: put config.json back, or start a new run from it with --config.',
    );
  }
  const restore = 'Give the one that the run was begun with, or start a new run.';
  if (decoderOf(then.data) !== decoderOf(now.data)) {
    throw new UserError(
      `--data: the image files of this run were decoded by ${decoderOf(then.data)}, which gives other pixels than ${decoderOf(now.data)}: ` +
        `it goes on, bit for bit, in ${decoderOf(then.data)} alone.`,
    );
  }
  if (then.data !== now.data)
    throw new UserError(`--data: these are other images than the run has seen so far. ${restore}`);
  if (then.teacher !== now.teacher)
    throw new UserError(`--teacher: this is another teacher than the run has had so far. ${restore}`);
}

/** What held for runs that were begun before there was a setting. */
function valueBefore(setting: string): string | undefined {
  const option = OPTION_LIST.find(({ section, key }) => `${section}.${key}` === setting)?.option;
  return option?.added && JSON.stringify(option.default);
}

function parse(text: string | undefined): RunIdentity | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as RunIdentity);
}
