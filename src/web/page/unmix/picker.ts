import { choice } from '../../components/choice';
import { element } from '../../components/dom';
import { thumbnails, THUMBNAIL_SIDE, type Source } from './images';
import { toImageData } from './paint';

/** Which image of the pair. */
export type Slot = 0 | 1;

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
  return element('span', { class: 'file' }, element('button', { type: 'button', onclick: () => input.click() }, text), input);
}

/** Images to choose from, for the one or the other of the pair. */
export function picker(settings: {
  readonly onSlot: (slot: Slot) => void;
  readonly onImage: (source: Source) => void;
  readonly onFile: (file: File) => void;
}): HTMLElement {
  const size = { image: THUMBNAIL_SIDE, channels: 3 };
  return element(
    'section',
    { class: 'picker' },
    element('h2', {}, 'Choose images'),
    element(
      'div',
      { class: 'row' },
      choice({
        label: 'Which image to replace',
        options: [
          { value: '0', title: 'Image 1' },
          { value: '1', title: 'Image 2' },
        ],
        chosen: '0',
        onChoose: (value) => settings.onSlot(value === '0' ? 0 : 1),
      }),
      fileButton('Own image…', 'image/*', settings.onFile),
      element('span', { class: 'note' }, 'or drop one on its place, or paste it'),
    ),
    element(
      'div',
      { class: 'thumbnails', role: 'group', 'aria-label': 'Held-out images' },
      thumbnails().map((source) => {
        const canvas = element('canvas', { width: size.image, height: size.image });
        canvas.getContext('2d')?.putImageData(toImageData(source.bytes(size), size), 0, 0);
        return element(
          'button',
          { type: 'button', title: source.title, 'aria-label': source.title, onclick: () => settings.onImage(source) },
          canvas,
        );
      }),
    ),
  );
}

/**
 * Gives files that are dropped or pasted while a part of the page is in sight. The whole page takes them: elsewhere the
 * browser would leave it for the file.
 *
 * @param over what would take a file that is being dragged
 */
export function takeFiles(place: HTMLElement, given: (file: File, target: Element | null) => void, over: (target: Element | null) => void): void {
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
