import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { NO_METRICS, readMetrics, thinCurves, type Curves, type CurveValues } from '../report/metrics';
import type { ReportData, ReportPhase, SettingsSection } from '../report/report';
import { readSessions, type Session } from '../report/session';
import { fillTemplate } from '../report/template';
import { UserError } from '../common/userError';
import { phasesOf, planIfKnown, resolveConfig, type Config, type Phase } from '../imae/config/config';
import { PHASE_TITLES } from '../imae/config/describe';
import { HEADINGS, OPTION_LIST, SECTION_HEADINGS, type OptionEntry } from '../imae/config/options';
import { reason } from '../node/failure';
import { PanelReader } from './reportPanels';
import type { RunFolder } from './runFolder';

/** What the file is called, in a run folder and as a template. */
const REPORT_FILE = 'report.html';

/** What the page calls the phases: headings. */
const TITLES: Readonly<Record<Phase, string>> = { ...PHASE_TITLES, teacher: 'Teacher' };

/** Points of a curve. */
const MOST_POINTS = 2000;
/** Digits of a point. */
const DIGITS = 6;

/**
 * The page without data, as the build leaves it beside the programs.
 *
 * @throws UserError where it was not built
 */
export function readTemplate(path = join(import.meta.dirname, REPORT_FILE)): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`The page ${path} cannot be read: ${reason(error)}. Run npm run build.`);
  }
}

/**
 * Writes `report.html` into a run folder from what the folder holds, whole or not at all.
 *
 * @param panels kept by whoever writes several reports of a run
 * @returns the report's path
 * @throws UserError where the configuration cannot be read
 */
export async function writeReport(
  folder: RunFolder,
  template: string,
  panels = new PanelReader(folder.path),
): Promise<string> {
  return folder.writeFile(REPORT_FILE, fillTemplate(template, await readRun(folder, panels)));
}

/** All that a report says of a run. */
export async function readRun(folder: RunFolder, panels: PanelReader): Promise<ReportData> {
  const config = resolveConfig([{ source: `${folder.path}/config.json`, values: folder.readConfig() }]);
  const sessions = readSessions(textOf(folder, 'sessions.jsonl'));
  return {
    name: basename(resolve(folder.path)),
    path: folder.path,
    preset: config.preset,
    about: aboutModel(config),
    dataSet: config.data.set ?? 'none',
    written: new Date().toISOString(),
    phases: await readPhases(config, sessions, textOf(folder, 'metrics.jsonl'), panels),
    settings: describeSettings(config),
    configFile: textOf(folder, 'config.json'),
    sessions,
  };
}

/** `64 px, encoder 384-12-6, decoder 192-6-6, patch 8, mask ratio 0.75` */
function aboutModel({ model, masking }: Config): string {
  const { image, patch, dim, depth, heads, decoderDim, decoderDepth, decoderHeads } = model;
  return `${image} px, encoder ${dim}-${depth}-${heads}, decoder ${decoderDim}-${decoderDepth}-${decoderHeads}, patch ${patch}, mask ratio ${masking.maskRatio}`;
}

function textOf(folder: RunFolder, name: string): string {
  const path = join(folder.path, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

async function readPhases(
  config: Config,
  sessions: readonly Session[],
  metricsText: string,
  panelReader: PanelReader,
): Promise<ReportPhase[]> {
  const metrics = readMetrics(metricsText);
  const phases: ReportPhase[] = [];
  for (const phase of phasesOf(config)) {
    const { curves, scores } = metrics.get(phase) ?? NO_METRICS;
    const { panels, panelCount } = await panelReader.read(phase);
    const steps = planIfKnown(config, phase, sessions.at(-1)?.trainingImages)?.steps;
    const last = curves.steps.at(-1);
    const done = Math.max(
      last === undefined ? 0 : last + 1,
      ...[...scores, ...panels].map(({ step }) => step),
      ...sessions.flatMap(({ end }) => (end?.phase === phase ? [end.step] : [])),
    );
    phases.push({
      id: phase,
      title: TITLES[phase],
      done,
      ...(steps === undefined ? {} : { steps }),
      batch: config.training.batch,
      curves: shorten(thinCurves(curves, MOST_POINTS)),
      scores,
      panels,
      panelCount,
    });
  }
  return phases;
}

/** Fewer digits, for a smaller file. */
function shorten(curves: Curves): Curves {
  const short = (value: number | null): number | null => (value === null ? null : Number(value.toPrecision(DIGITS)));
  const shortened = (values: CurveValues): CurveValues =>
    Object.fromEntries(Object.entries(values).map(([name, curve]) => [name, curve.map(short)]));
  const { values, means } = curves;
  return { ...curves, values: shortened(values), ...(means ? { means: shortened(means) } : {}) };
}

/** The settings under the headings of `--help`, each beside the preset's own value where it differs. */
function describeSettings(config: Config): SettingsSection[] {
  const bare = resolveConfig([{ source: 'preset', values: { preset: config.preset } }]);
  const shown = ({ section, key, option }: OptionEntry, from: Config): string =>
    option.kind.show((from[section] as Record<string, unknown>)[key]);
  return HEADINGS.map((title) => ({
    title,
    settings: OPTION_LIST.filter(({ section, option }) => (option.heading ?? SECTION_HEADINGS[section]) === title).map(
      (entry) => {
        const value = shown(entry, config);
        const preset = shown(entry, bare);
        const name = `${entry.section}.${entry.key}`;
        return { name, help: entry.option.help, value, ...(value === preset ? {} : { preset }) };
      },
    ),
  }));
}
