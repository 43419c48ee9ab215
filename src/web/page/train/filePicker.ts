import { element } from '../../components/dom';
import type { Given } from './openRun';

/** A button that opens files or a folder; what was picked is made something of by `give`, for `open`. */
export function filePicker(
  title: string,
  kind: { readonly accept: string } | { readonly webkitdirectory: true } | { readonly multiple: true },
  give: (files: readonly File[]) => Given | undefined,
  open: (give: () => Given | undefined) => Promise<void>,
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
