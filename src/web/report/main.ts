import type { ReportData } from '../../files/report';
import { command } from '../components/command';
import { element, type Child } from '../components/dom';
import { themeSwitch } from '../components/theme';
import '../components/styles.css';
import { phaseCharts, scoreCharts } from './curves';
import { Live, restoreScroll } from './live';
import { formatTime, repeating, resumeCommand, sessionList, settingsTables } from './making';
import { pictures } from './pictures';
import './report.css';
import { statusOf, type Status } from './status';
import { verdict } from './verdict';

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

function progress({ phases }: ReportData): HTMLElement {
  return element(
    'div',
    { class: 'phases' },
    phases.map(({ title, done, steps }) =>
      element(
        'div',
        {},
        element('span', {}, title),
        element('progress', { max: Math.max(1, steps ?? done), value: done, 'aria-label': title }),
        element(
          'span',
          { class: 'number' },
          done.toLocaleString('en') + (steps === undefined ? ' steps' : ` of ${steps.toLocaleString('en')}`),
        ),
      ),
    ),
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
    progress(data),
    status.resumable ? element('div', {}, element('p', {}, 'To go on:'), command(resumeCommand(data.path))) : undefined,
  );
}

function softwareWarning(adapter: string): HTMLElement {
  return element(
    'p',
    { class: 'card warning' },
    element('strong', {}, 'Software adapter, not a GPU. '),
    `${adapter} emulates a GPU on the CPU: how fast it was is no result of this project.`,
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
      ? part('scores', 'Unmixing over time', undefined, scoreCharts(scored.scores, onZoom('scores')))
      : undefined,
    begun.length > 0
      ? part(
          'curves',
          'Training',
          'Drag across a chart to enlarge a part of it; a double click shows all again.',
          ...begun.map((phase) => phaseCharts(phase, software !== undefined, onZoom(phase.id))),
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

function aboutScore(): HTMLElement {
  return element(
    'details',
    {},
    element('summary', {}, 'What is measured'),
    element(
      'p',
      {},
      'On held-out pairs, α spread from 0.1 to 0.45, over the patches that the model did not see: the mean squared error of ' +
        'each prediction to its own image, beside three others. The prediction to the other image of the pair; the mean image of ' +
        'the training set to the own image; and the mixture itself, those very patches unhidden, to the own image. Mixtures ' +
        'count as taken apart where every prediction is below all three. The score is 1 − error ÷ error of the mean image: ' +
        '1 is perfect, 0 is no better than the mean image.',
    ),
  );
}

const place = document.getElementById('report');
page(JSON.parse(place?.textContent ?? '') as ReportData);
