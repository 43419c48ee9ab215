import { choiceField } from './choice';
import { keep, recall } from './memory';

const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];
const TITLES: Readonly<Record<Theme, string>> = { auto: 'Auto', light: 'Light', dark: 'Dark' };

const CHANGED = 'themechange';

/** Calls back whenever the colours of the page have changed. */
export function onThemeChange(changed: () => void): void {
  document.addEventListener(CHANGED, changed);
}

/** Gives the page its theme, light on paper, and returns the switch between themes. */
export function themeSwitch(): HTMLElement {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const kept = recall<string>('theme', 'auto');
  let theme = THEMES.find((known) => known === kept) ?? 'auto';
  const show = (shown: Theme): void => {
    document.documentElement.dataset['theme'] = shown === 'auto' ? (system.matches ? 'dark' : 'light') : shown;
    document.dispatchEvent(new Event(CHANGED));
  };
  system.addEventListener('change', () => show(theme));
  addEventListener('beforeprint', () => show('light'));
  addEventListener('afterprint', () => show(theme));
  show(theme);
  return choiceField({
    label: 'Colours',
    options: THEMES.map((value) => ({ value, title: TITLES[value] })),
    chosen: theme,
    onChoose: (chosen) => {
      theme = chosen;
      keep('theme', theme);
      show(theme);
    },
  });
}

/** The value of a colour of the stylesheet, as `--ink`, for a canvas. */
export function colourOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
