/** One of the page's views. It is made when it is first shown, and stays. */
export interface View {
  readonly element: HTMLElement;
  /** Called each time it comes into sight, and each time it goes. */
  shown?(): void;
  hidden?(): void;
}
