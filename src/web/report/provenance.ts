import { formatDuration } from '../../common/format';
import type { ReportData, SettingsSection } from '../../report/report';
import type { Session } from '../../report/session';
import { shellQuoted } from '../../common/shell';
import { command } from '../components/command';
import { element } from '../components/dom';

/** The configuration, section by section; what is not the preset's own is marked. */
export function settingsTables(sections: readonly SettingsSection[], preset: string): HTMLElement {
  return element(
    'div',
    { class: 'settings' },
    sections.map(({ title, settings }) =>
      element(
        'section',
        { class: 'card' },
        element('h3', {}, title),
        element(
          'table',
          {},
          element('caption', { class: 'unseen' }, `Settings: ${title}`),
          element(
            'tbody',
            {},
            settings.map(({ name, help, value, preset: own }) =>
              element(
                'tr',
                own === undefined ? {} : { class: 'changed' },
                element(
                  'th',
                  { scope: 'row', title: help },
                  name.replace(/^(?!teacher\.).*\./, ''),
                  element('span', { class: 'unseen' }, ` (${name})`),
                ),
                element('td', {}, value, own === undefined ? undefined : element('small', {}, `${preset}: ${own}`)),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

/** Each process or page that trained the run. */
export function sessionList(sessions: readonly Session[], titles: ReadonlyMap<string, string>): HTMLElement {
  if (sessions.length === 0) {
    return element(
      'p',
      { class: 'note' },
      'This run left no sessions.jsonl: when, by which command and on which adapter it was made is not known.',
    );
  }
  const place = (phase: string, step: number): string =>
    `${titles.get(phase) ?? phase} step ${step.toLocaleString('en')}`;
  return element(
    'ol',
    { class: 'sessions' },
    sessions.map((session, index) =>
      element(
        'li',
        { class: 'card' },
        element(
          'p',
          {},
          element('time', { datetime: session.time }, formatTime(session.time)),
          ` from ${place(session.phase, session.step)}, `,
          describeEnd(session, place, index === sessions.length - 1),
        ),
        session.command === undefined
          ? element('p', { class: 'note' }, "In a browser, by the page's Train view.")
          : command(session.command),
        session.changes ? element('p', {}, `From here on with ${session.changes.join(', ')}.`) : undefined,
        element(
          'dl',
          {},
          element('dt', {}, 'adapter'),
          element(
            'dd',
            {},
            session.adapter,
            session.software ? element('strong', { class: 'software' }, 'SOFTWARE, not a GPU') : undefined,
          ),
          element('dt', {}, 'versions'),
          element('dd', {}, [`palimpsest ${session.palimpsest}`, session.platform].filter((text) => text).join(', ')),
        ),
      ),
    ),
  );
}

function describeEnd(session: Session, place: (phase: string, step: number) => string, isLast: boolean): string {
  const { end, time } = session;
  if (!end) return isLast ? 'no end yet' : 'without a word at its end: killed, perhaps';
  const seconds = (Date.parse(end.time) - Date.parse(time)) / 1000;
  const message = end.message === undefined ? '' : `: ${end.message}`;
  return `${end.ended} at ${place(end.phase, end.step)} after ${formatDuration(seconds)}${message}`;
}

export function formatTime(time: string): string {
  return new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
}

/** How to make the run again, and how to go on with it. */
export function repeating({ path, configFile, sessions }: ReportData): HTMLElement {
  const download = URL.createObjectURL(new Blob([configFile], { type: 'application/json' }));
  return element(
    'div',
    { class: 'repeating' },
    element('h3', {}, 'The same run again'),
    element(
      'p',
      {},
      sessions.some(({ changes }) => changes)
        ? 'Settings of this run were changed on its way (see above), so this does not make the same curve: it trains with the last ones from its first step.'
        : 'Same configuration, same adapter and driver: the same loss curve, bit for bit.',
    ),
    command(`node train.js --config ${shellQuoted(`${path}/config.json`)}`),
    element(
      'p',
      {},
      element('a', { href: download, download: 'config.json' }, 'Save config.json'),
      ', for whoever has only this page. Files that it names (data, teacher) must be where it says.',
    ),
    element(
      'details',
      {},
      element('summary', {}, 'config.json'),
      element('pre', { tabindex: 0 }, element('code', {}, configFile)),
    ),
    element('h3', {}, 'Going on'),
    element(
      'p',
      {},
      'A run that was stopped, failed or was killed goes on from its last checkpoint as if nothing had happened.',
    ),
    command(resumeCommand(path)),
  );
}

export function resumeCommand(path: string): string {
  return `node train.js --resume ${shellQuoted(path)}`;
}
