/*
 * Where the system has no language, Chromium makes up one that Intl refuses (`en-US@posix`). uPlot asks for it as soon as
 * it is loaded, so this is imported before it.
 */
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en' });
}
