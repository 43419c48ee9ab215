import { element } from '../../components/dom';
import { givenImages, type Given } from './openRun';

/** Opens what is given. */
export type Opener = (give: () => Given | undefined) => Promise<void>;

/** A button that opens files or a folder; what was picked is made something of by `give`, for `open`. */
export function filePicker(
  title: string,
  kind: { readonly accept: string } | { readonly webkitdirectory: true } | { readonly multiple: true },
  give: (files: readonly File[]) => Given | undefined,
  open: Opener,
): HTMLElement {
  const input = element('input', {
    type: 'file',
    class: 'unseen',
    ...kind,
    onchange: () => {
      const files = [...(input.files ?? [])];
      input.value = ''; // so that the same file can be picked again
      void open(() => give(files));
    },
  });
  return element('label', { class: 'button' }, input, title);
}

/** Buttons that open images of one's own. */
export function imagePickers(open: Opener): HTMLElement[] {
  return [
    filePicker('Open a folder of images', { webkitdirectory: true }, (files) => givenImages(files), open),
    filePicker('Open files of CIFAR', { multiple: true }, (files) => givenImages(files), open),
  ];
}
