import { element } from '../../components/dom';
import { download } from '../../components/download';
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
  const name = `palimpsest-bench-${saved.date.slice(0, 10)}.json`;
  download(name, new TextEncoder().encode(asJson(saved)), 'application/json');
}
