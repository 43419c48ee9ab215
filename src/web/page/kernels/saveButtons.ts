import { element } from '../../components/dom';
import { asJson, asMarkdown, asTable } from './formats';
import type { SavedResults } from './results';

/** Buttons that copy results and save them. */
export function saveButtons(saved: () => SavedResults): HTMLElement {
  return element(
    'div',
    { class: 'buttons' },
    copyButton('Copy as table', () => asTable(saved())),
    copyButton('Copy as Markdown', () => asMarkdown(saved())),
    element('button', { type: 'button', onclick: () => save(saved()) }, 'Save as JSON'),
  );
}

function copyButton(title: string, text: () => string): HTMLElement {
  const button = element('button', { type: 'button', onclick: () => void copy() }, title);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'The browser refuses: save it';
    }
    setTimeout(() => (button.textContent = title), 2000);
  };
  return button;
}

function save(saved: SavedResults): void {
  const url = URL.createObjectURL(new Blob([asJson(saved)], { type: 'application/json' }));
  element('a', { href: url, download: `palimpsest-kernels-${saved.date.slice(0, 10)}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it when it comes to it
}
