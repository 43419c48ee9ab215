import { element } from './dom';

/** A command to be typed, with a button that copies it. */
export function command(text: string): HTMLElement {
  const button = element('button', { type: 'button', class: 'quiet', onclick: () => void copy() }, 'Copy');
  const code = element('code', {}, text);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch {
      // Not every browser lets a file reach the clipboard: then it is selected for the keyboard.
      getSelection()?.selectAllChildren(code);
      button.textContent = 'Selected';
    }
    setTimeout(() => (button.textContent = 'Copy'), 2000);
  };
  return element('div', { class: 'command' }, element('pre', { tabindex: 0 }, code), button);
}
