import { expect, it } from 'vitest';
import { describeBrowser } from './browserName';

const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36';

it.each([
  ['Chrome 147', CHROME],
  ['Edge 146', `${CHROME} Edg/146.0.0.0`],
  ['Firefox 141', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0'],
  [
    'Safari 26',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15',
  ],
  ['a browser', 'Lynx/2.9.0'],
])('%s', (name, userAgent) => {
  expect(describeBrowser(userAgent)).toBe(name);
});
