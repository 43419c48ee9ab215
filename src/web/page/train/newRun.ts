import { UserError } from '../../../common/userError';
import { isSoftware, nameAdapter } from '../../../gpu/adapter';
import type { Config } from '../../../imae/config/config';
import { element } from '../../components/dom';
import { softwareWarning } from '../../components/softwareWarning';
import { requestBrowserAdapter } from '../../device';
import { filePicker, imagePickers, type Opener } from './filePicker';
import type { ReadyImages } from './imagesField';
import { givenFile, givenFolder } from './openRun';
import { SettingsForm } from './settingsForm';

/** What is there while there is no run: the form for a new one, and what opens an older one. */
export class NewRun {
  readonly element: HTMLElement;
  readonly form: SettingsForm;
  private readonly adapter = element('div', { class: 'adapter' });

  constructor(open: Opener, begin: (config: Config, images: ReadyImages | undefined) => void) {
    this.form = new SettingsForm(imagePickers(open), begin);
    this.element = element(
      'div',
      { class: 'new-run' },
      element(
        'p',
        { class: 'lead' },
        'In this browser, on its GPU, by the same code as in Node. First a masked autoencoder learns to complete images (the teacher); then ' +
          'i-MAE learns to see two images in the blend of both. The images are built-in drawings, made here from the seed, or your own.',
      ),
      this.adapter,
      this.form.element,
      element(
        'section',
        { class: 'card open', 'aria-labelledby': 'train-open' },
        element('h2', { id: 'train-open' }, 'Go on with a run'),
        element(
          'p',
          {},
          'One that this page saved, or that Node left under runs/. It goes on bit for bit on the same adapter and driver. Drop it anywhere here, or open it:',
        ),
        element(
          'div',
          { class: 'actions' },
          filePicker(
            'Open a run (.zip)',
            { accept: '.zip,application/zip' },
            (files) => files[0] && givenFile(files[0]),
            open,
          ),
          filePicker('Open a run folder', { webkitdirectory: true }, (files) => givenFolder(files), open),
          filePicker(
            'Start from a config.json',
            { accept: '.json,application/json' },
            (files) => files[0] && givenFile(files[0]),
            open,
          ),
        ),
      ),
    );
  }

  /** Says what it would be trained on. */
  async showAdapter(): Promise<void> {
    try {
      const { info } = await requestBrowserAdapter();
      const name = nameAdapter(info);
      this.adapter.replaceChildren(
        isSoftware(info) ? softwareWarning(name) : element('p', { class: 'note' }, `GPU: ${name}`),
      );
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.adapter.replaceChildren(element('p', { class: 'card message bad', role: 'alert' }, error.message));
    }
  }
}
