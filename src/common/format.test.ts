import { expect, test } from 'vitest';
import { formatBytes, formatCount, formatDuration, formatNumber, formatRate, formatSetting } from './format';

test.each([
  [formatCount, 0, '0'],
  [formatCount, 950, '950'],
  [formatCount, 999.9, '1 k'],
  [formatCount, 186_912, '187 k'],
  [formatCount, 111_907_840, '112 M'],
  [formatCount, 1.2154e12, '1.22 T'],
  [formatBytes, 512, '512 B'],
  [formatBytes, 1536, '1.5 KiB'],
  [formatBytes, 1023.9 * 1024, '1 MiB'],
  [formatBytes, 8.4 * 2 ** 30, '8.4 GiB'],
  [formatDuration, 0.4, '0 s'],
  [formatDuration, 59.4, '59 s'],
  [formatDuration, 59.6, '1:00'],
  [formatDuration, 3599.6, '1:00:00'],
  [formatDuration, 7389, '2:03:09'],
  [formatDuration, 86_400 * 3 + 3600 * 4, '3 d 04 h'],
  [formatNumber, 0.48123, '0.4812'],
  [formatNumber, 12.5, '12.500'],
  [formatNumber, 1.5e-4, '1.500e-4'],
  [formatNumber, 2e7, '2.000e7'],
  [formatNumber, NaN, 'NaN'],
  [formatSetting, 9750, '9750'],
  [formatSetting, 0.003, '0.003'],
  [formatSetting, 1.5e-4, '1.5e-4'],
  [formatRate, 512.6, '513'],
  [formatRate, 3.14159, '3.14'],
  [formatRate, Infinity, '–'],
] as const)('%o of %f is %s', (format, value, text) => {
  expect(format(value)).toBe(text);
});
