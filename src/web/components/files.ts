import { element } from './dom';

/** A button that opens the browser's choice of files. */
export function fileButton(text: string, accept: string, chosen: (file: File) => void): HTMLElement {
  const input = element('input', {
    type: 'file',
    accept,
    class: 'unseen',
    'aria-label': text,
    tabindex: -1,
    onchange: () => {
      const file = input.files?.[0];
      if (file) chosen(file);
      input.value = ''; // so that the same file can be chosen again
    },
  });
  return element(
    'span',
    { class: 'file' },
    element('button', { type: 'button', onclick: () => input.click() }, text),
    input,
  );
}

/**
 * Gives files that are dropped or pasted while a part of the page is in sight. The whole page takes them: elsewhere the
 * browser would leave it for the file.
 *
 * @param over what would take a file that is being dragged
 */
export function takeFiles(
  place: HTMLElement,
  given: (file: File, target: Element | null) => void,
  over: (target: Element | null) => void,
): void {
  const isInSight = (): boolean => place.offsetParent !== null;
  const dragging = (event: DragEvent): boolean => {
    if (!isInSight() || event.dataTransfer?.types.includes('Files') !== true) return false;
    event.preventDefault();
    return true;
  };
  document.addEventListener('dragover', (event) => {
    if (dragging(event)) over(event.target as Element);
  });
  document.addEventListener('dragleave', () => over(null));
  document.addEventListener('drop', (event) => {
    if (!dragging(event)) return;
    over(null);
    const file = event.dataTransfer?.files[0];
    if (file) given(file, event.target as Element);
  });
  document.addEventListener('paste', (event) => {
    const file = event.clipboardData?.files[0];
    if (!file || !isInSight()) return;
    event.preventDefault();
    given(file, null);
  });
}
