import { element } from '../components/dom';
import '../components/styles.css';
import { themeSwitch } from '../components/theme';
import { CurrentModel } from './currentModel';
import { insideView } from './inside/insideView';
import { kernelsView } from './kernels/kernelsView';
import './page.css';
import { trainView } from './train/trainView';
import { unmixView } from './unmix/unmixView';
import type { PageContext, View, ViewId } from './view';
import { Viewing } from './viewing';

const VIEWS = {
  unmix: { title: 'Unmix', make: unmixView },
  train: { title: 'Train', make: trainView },
  inside: { title: 'Inside', make: insideView },
  kernels: { title: 'Kernels', make: kernelsView },
} as const satisfies Record<ViewId, { title: string; make: (context: PageContext) => View }>;

const VIEW_IDS = Object.keys(VIEWS) as ViewId[];

/** The whole page: a head with the views' names, and below it the one that the address names. */
function mountPage(): void {
  const model = new CurrentModel();
  const context: PageContext = { model, viewing: new Viewing(model), show: (id) => (location.hash = id) };
  const made = new Map<ViewId, View>();
  const main = element('main', { id: 'main', tabindex: -1 });
  const links = new Map(VIEW_IDS.map((id) => [id, element('a', { href: `#${id}` }, VIEWS[id].title)]));
  document.body.replaceChildren(
    element('a', { class: 'skip', href: '#main', onclick: skipTo(main) }, 'Skip to the content'),
    element(
      'header',
      { class: 'top' },
      element('span', { class: 'brand' }, 'palimpsest'),
      element('nav', { 'aria-label': 'Views' }, [...links.values()]),
      themeSwitch(),
    ),
    main,
  );

  let current: ViewId | undefined;
  const show = (): void => {
    const id = VIEW_IDS.find((known) => `#${known}` === location.hash) ?? 'unmix';
    if (id === current) return;
    const before = current && made.get(current);
    current = id;
    let view = made.get(id);
    if (!view) {
      view = VIEWS[id].make(context);
      made.set(id, view);
      main.append(view.element);
    }
    for (const [each, { element: shown }] of made) shown.hidden = each !== id;
    for (const [each, link] of links) {
      if (each === id) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    document.title = `${VIEWS[id].title} · palimpsest`;
    before?.hidden?.();
    view.shown?.();
  };
  addEventListener('hashchange', show);
  show();
}

/** Moves the keyboard there; a link to it would be taken for the name of a view. */
function skipTo(place: HTMLElement): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    place.focus();
  };
}

mountPage();
