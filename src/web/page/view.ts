import type { CurrentModel } from './currentModel';
import type { Viewing } from './viewing';

/** One of the page's views. It is made when it is first shown, and stays. */
export interface View {
  readonly element: HTMLElement;
  /** Called each time it comes into sight, and each time it goes. */
  shown?(): void;
  hidden?(): void;
}

/** A view, as the address names it. */
export type ViewId = 'unmix' | 'train' | 'inside' | 'kernels';

/** What all views share. */
export interface PageContext {
  readonly model: CurrentModel;
  /** Looks at that model. */
  readonly viewing: Viewing;
  /** Brings a view into sight. */
  readonly show: (id: ViewId) => void;
}
