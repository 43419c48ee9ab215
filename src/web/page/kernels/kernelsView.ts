import { element } from '../../components/dom';
import type { PageContext } from '../page';
import type { View } from '../view';

export function kernelsView(context: PageContext): View {
  return { element: element('div', {}, typeof context) };
}
