import { choiceField } from '../../components/choice';
import { element } from '../../components/dom';
import { fileButton } from '../../components/files';
import { thumbnails, THUMBNAIL_SIDE, type ImageSource } from '../mixture/images';
import { toImageData } from '../mixture/paint';

/** Which image of the pair. */
export type Slot = 0 | 1;

/** Images to choose from, for the one or the other of the pair. */
export function picker(settings: {
  readonly onSlot: (slot: Slot) => void;
  readonly onImage: (source: ImageSource) => void;
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
      choiceField({
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
