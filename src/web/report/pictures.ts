import type { ReportPhase } from '../../report/report';
import { choiceField } from '../components/choice';
import { element } from '../components/dom';
import { keep, recall } from '../components/memory';
import { stepSlider } from '../components/stepSlider';

const HOW_TO_READ: Readonly<Record<string, readonly string[]>> = {
  imae: [
    'Each row is a held-out pair; α is the weight of the subordinate in the mixture. From left to right: the mixture, ' +
      'what the model sees of it, and what it makes of it.',
    'Look at the composites, in which every patch was predicted while it was hidden, and compare them with the targets ' +
      'at the right. The raw reconstruction gets no loss on visible patches and is noise there.',
  ],
  other: [
    'Each row is a held-out image: the image, what the model sees of it, and the composite, in which every patch was ' +
      'predicted while it was hidden.',
  ],
};

/** In CSS pixels. */
const LEAST_WIDTH = 620;

/** Sheets of panels with a slider over the steps of training; the newest first. */
export function pictures(phases: readonly ReportPhase[]): HTMLElement {
  const chosen = recall('pictures', phases.at(-1)?.id ?? '');
  const shownFirst = phases.find(({ id }) => id === chosen) ?? phases.at(-1);
  const place = element('div');
  const show = (phase: ReportPhase): void => place.replaceChildren(viewer(phase));
  if (shownFirst) show(shownFirst);
  const tabs =
    phases.length > 1
      ? choiceField({
          label: 'Phase',
          options: phases.map(({ id, title }) => ({ value: id, title })),
          chosen: shownFirst?.id ?? '',
          onChoose: (id) => {
            keep('pictures', id);
            for (const phase of phases) if (phase.id === id) show(phase);
          },
        })
      : undefined;
  return element('div', { class: 'pictures' }, tabs, place);
}

function viewer(phase: ReportPhase): HTMLElement {
  const { id, title, panels, panelCount } = phase;
  const memory = `sheet ${id}`;
  const last = panels.length - 1;
  // A slider left at the newest sheet stays at the newest one when more come.
  const kept = recall<number>(memory, -1);
  const keptIndex = panels.findIndex(({ step }) => step === kept);
  let index = keptIndex < 0 ? last : keptIndex;

  const image = element('img', { decoding: 'sync' });
  const slider = stepSlider((to) => show(to));
  const show = (to: number): void => {
    index = Math.min(last, Math.max(0, to));
    const panel = panels[index];
    if (!panel) return;
    keep(memory, index === last ? -1 : panel.step);
    slider.show(
      panels.map(({ step }) => step),
      index,
    );
    image.src = panel.image;
    image.width = panel.width;
    image.height = panel.height;
    // On a narrow screen the sheet is scrolled sideways rather than shrunk until nothing can be read.
    image.style.minWidth = `${Math.min(LEAST_WIDTH, panel.width)}px`;
    image.alt = altText(id, title, `${panel.step.toLocaleString('en')} steps`);
  };
  show(index);

  const sheet = element('div', { class: 'sheet', tabindex: 0, role: 'region', 'aria-label': 'Sheet of panels' }, image);
  const whole = element('button', {
    type: 'button',
    'aria-expanded': String(recall<boolean>('whole sheet', false)),
    onclick: () => {
      const isWhole = sheet.classList.toggle('whole');
      keep('whole sheet', isWhole);
      setLabel(isWhole);
    },
  });
  const setLabel = (isWhole: boolean): void => {
    whole.textContent = isWhole ? 'Show less' : 'Show the whole sheet';
    whole.setAttribute('aria-expanded', String(isWhole));
  };
  const tall = (panels[index]?.height ?? 0) > 900;
  sheet.classList.toggle('whole', !tall || recall<boolean>('whole sheet', false));
  setLabel(sheet.classList.contains('whole'));

  return element(
    'div',
    {},
    slider.element,
    element(
      'figure',
      { class: 'card panels' },
      sheet,
      tall ? whole : undefined,
      element(
        'figcaption',
        {},
        (HOW_TO_READ[id] ?? HOW_TO_READ['other'] ?? []).map((text) => element('p', {}, text)),
      ),
    ),
    panelCount > panels.length
      ? element('p', { class: 'note' }, `${panels.length} of the ${panelCount} sheets in panels/, evenly spread.`)
      : undefined,
  );
}

function altText(id: string, title: string, steps: string): string {
  const content =
    id === 'imae'
      ? 'mixtures of two held-out images at several weights, what the model sees of them, its reconstructions and the two images'
      : 'held-out images, what the model sees of them, and its reconstructions';
  return `${title} after ${steps}: ${content}.`;
}
