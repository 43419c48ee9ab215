import { element } from '../components/dom';
import { keep, recall } from '../components/memory';

const INTERVAL = 10_000;
/** A run that is silent may go on some time. */
const SLOW_INTERVAL = 60_000;

/**
 * Keeps a page of a run that goes on up to date. A page opened as a file can read no other file, so it loads itself
 * anew, and where it was scrolled to is kept. It waits while nobody looks, while a chart is enlarged (`hold`), and while
 * text is selected; a button pauses it.
 */
export class Live {
  readonly element: HTMLElement;
  private paused = recall<boolean>('paused', false);
  private held = false;
  private due = false;

  constructor(pace: 'live' | 'slow') {
    const interval = pace === 'live' ? INTERVAL : SLOW_INTERVAL;
    const button = element('button', { type: 'button', class: 'quiet', 'aria-pressed': String(this.paused) });
    const show = (): void => {
      button.textContent = this.paused ? 'Updates paused' : `Updates every ${interval / 1000} s`;
      button.title = this.paused ? 'Go on updating' : 'Pause updates';
      button.setAttribute('aria-pressed', String(this.paused));
    };
    button.addEventListener('click', () => {
      this.paused = !this.paused;
      keep('paused', this.paused);
      show();
      this.reloadIfDue();
    });
    show();
    this.element = button;
    setTimeout(() => {
      this.due = true;
      this.reloadIfDue();
    }, interval);
    document.addEventListener('visibilitychange', () => this.reloadIfDue());
    document.addEventListener('selectionchange', () => this.reloadIfDue());
  }

  /** Waits, or waits no longer. */
  hold(held: boolean): void {
    this.held = held;
    this.reloadIfDue();
  }

  private reloadIfDue(): void {
    if (!this.due || this.paused || this.held || document.hidden || getSelection()?.type === 'Range') return;
    keep('scroll', scrollY);
    location.reload();
  }
}

/** Scrolls to where the page was before it loaded itself anew. */
export function restoreScroll(): void {
  const kept = recall<number>('scroll', -1);
  keep('scroll', -1);
  if (kept < 0) return;
  history.scrollRestoration = 'manual';
  scrollTo({ top: kept, behavior: 'instant' });
  history.scrollRestoration = 'auto';
}
