import type { ReportData } from '../../report/report';
import { command } from '../components/command';
import { phaseCharts, scoreCharts } from '../components/curves';
import { element, type Child } from '../components/dom';
import { phaseBars } from '../components/phaseBars';
import '../components/run.css';
import { softwareWarning } from '../components/softwareWarning';
import { themeSwitch } from '../components/theme';
import { aboutScore, verdict } from '../components/verdict';
import { Live, restoreScroll } from './live';
import { formatTime, repeating, resumeCommand, sessionList, settingsTables } from './provenance';
import { pictures } from './pictures';
import '../components/document.css';
import './report.css';
import { statusOf, type Status } from './status';

const QUESTION = 'Does it take mixtures apart?';

/** A part of the page that can be linked to. */
function part(id: string, title: string, lead: string | undefined, ...content: readonly Child[]): HTMLElement {
  return element(
    'section',
    { id, class: 'part', 'aria-labelledby': `${id}-title` },
    element('h2', { id: `${id}-title` }, title),
    lead === undefined ? undefined : element('p', { class: 'lead' }, lead),
    ...content,
  );
}

function summary(data: ReportData, status: Status, live: Live | undefined): HTMLElement {
  return element(
    'div',
    { class: `card summary ${status.kind}` },
    element(
      'div',
      { class: 'standing', role: 'status' },
      element('strong', {}, status.title),
      element('span', {}, status.detail),
      live?.element,
    ),
    status.message === undefined ? undefined : element('p', { class: 'message' }, status.message),
    phaseBars(data.phases).element,
    status.resumable ? element('div', {}, element('p', {}, 'To go on:'), command(resumeCommand(data.path))) : undefined,
  );
}

function page(data: ReportData): void {
  const { phases, sessions, settings, preset } = data;
  const status = statusOf(data, Date.now());
  const goesOn = status.kind === 'running' || status.kind === 'silent';
  const live = goesOn ? new Live(status.kind === 'running' ? 'live' : 'slow') : undefined;
  const zoomed = new Set<string>();
  const onZoom =
    (of: string) =>
    (isZoomed: boolean): void => {
      if (isZoomed) zoomed.add(of);
      else zoomed.delete(of);
      live?.hold(zoomed.size > 0);
    };

  const scored = phases.find(({ scores }) => scores.length > 0);
  const score = scored?.scores.at(-1);
  const pictured = phases.filter(({ panels }) => panels.length > 0);
  const begun = phases.filter(({ curves }) => curves.steps.length > 0).reverse();
  const software = sessions.find((session) => session.software);
  const titles = new Map(phases.map(({ id, title }) => [id, title]));
  const trainsImae = phases.some(({ id }) => id === 'imae');

  const parts = [
    score
      ? part('verdict', QUESTION, undefined, verdict(score), aboutScore())
      : trainsImae
        ? part('verdict', QUESTION, noScore(data))
        : undefined,
    pictured.length > 0 ? part('pictures', 'Pictures', undefined, pictures(pictured)) : undefined,
    scored && scored.scores.length > 1
      ? part('scores', 'Unmixing over time', undefined, scoreCharts(scored.scores, onZoom('scores')).element)
      : undefined,
    begun.length > 0
      ? part(
          'curves',
          'Training',
          'Drag across a chart to enlarge a part of it; a double click shows all again.',
          ...begun.map((phase) => phaseCharts(phase, software !== undefined, onZoom(phase.id)).element),
        )
      : undefined,
    part('settings', 'Configuration', settingsLead(data), settingsTables(settings, preset)),
    part('making', 'How it was made', undefined, sessionList(sessions, titles)),
    part('repeat', 'How to repeat it', undefined, repeating(data)),
  ].filter((made) => made !== undefined);

  document.title = `${status.title}: ${preset} on ${data.dataSet} – palimpsest`;
  const began = sessions[0]?.time;
  document.body.append(
    element('a', { class: 'skip', href: '#main' }, 'To the content'),
    element(
      'header',
      { class: 'top' },
      element('div', { class: 'bar' }, element('span', { class: 'brand' }, 'palimpsest'), themeSwitch()),
      element('h1', {}, preset, ' ', element('small', {}, `on ${data.dataSet}`)),
      element('p', { class: 'about' }, data.about),
      element(
        'p',
        { class: 'note' },
        `Run ${data.name}`,
        began === undefined ? '' : `, begun ${formatTime(began)}`,
        `, this page ${formatTime(data.written)}`,
      ),
    ),
    element(
      'main',
      { id: 'main' },
      summary(data, status, live),
      software ? softwareWarning(software.adapter) : undefined,
      element(
        'nav',
        { 'aria-label': 'Parts of the page' },
        parts.map((each) => element('a', { href: `#${each.id}` }, each.querySelector('h2')?.textContent ?? '')),
      ),
      ...parts,
    ),
    element('footer', {}, 'Made by palimpsest. This page holds all its data and asks for nothing from elsewhere.'),
  );
  restoreScroll();
}

function noScore({ settings }: ReportData): string {
  const every = settings
    .flatMap((section) => section.settings)
    .find(({ name }) => name === 'logging.scoreEvery')?.value;
  const often = every === undefined || every === '0' ? '' : `after every ${every} steps of i-MAE and `;
  return `Not known yet: the unmixing score is computed ${often}at the end of i-MAE.`;
}

function settingsLead({ settings, preset }: ReportData): string {
  const changed = settings.flatMap((section) => section.settings).filter((setting) => setting.preset !== undefined);
  if (changed.length === 0) return `The preset ${preset} as it is.`;
  const settingsCount = changed.length === 1 ? 'one setting is' : `${changed.length} settings are`;
  return `The preset ${preset}, of which ${settingsCount} changed (marked).`;
}

const place = document.getElementById('data');
page(JSON.parse(place?.textContent ?? '') as ReportData);
