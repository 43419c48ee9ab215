import { element } from './dom';

/** What a user can do about a failure. */
export interface Remedy {
  readonly title: string;
  readonly pressed: () => void;
}

/** A place for one message at a time. */
export class Notice {
  readonly element = element('div', { class: 'card warning', role: 'alert', hidden: true });

  show(error: unknown, remedy: Remedy): void {
    const text = error instanceof Error ? error.message : String(error);
    const pressed = (): void => {
      this.hide();
      remedy.pressed();
    };
    this.element.replaceChildren(
      element('p', {}, text),
      element('button', { type: 'button', onclick: pressed }, remedy.title),
    );
    this.element.hidden = false;
  }

  hide(): void {
    this.element.hidden = true;
  }
}
