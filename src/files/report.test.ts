import { describe, expect, it } from 'vitest';
import { fillReport, REPORT_PLACE, spread, type ReportData } from './report';

const data = (name: string): ReportData => ({
  name,
  path: 'runs/x',
  preset: 'demo',
  about: '',
  dataSet: 'shapes',
  written: '2026-11-21T12:00:00.000Z',
  phases: [],
  settings: [],
  configFile: '{}',
  sessions: [],
});

describe('fillReport', () => {
  const template = `<p>before</p>${REPORT_PLACE}<p>after</p>`;

  it.each([
    'plain',
    '</script><script>alert(1)</script>',
    '<!-- <script> -->',
    '</ScRiPt >',
    'quotes " \' and \\u003c',
    '$& $1 $$ $`',
    'lines \n\u2028\u2029 é 図',
  ])('carries %j as data', (name) => {
    const page = fillReport(template, data(name));
    const match = /^<p>before<\/p><script type="application\/json" id="report">([^<]*)<\/script><p>after<\/p>$/.exec(
      page,
    );
    expect(JSON.parse(match?.[1] ?? '')).toEqual(data(name));
  });

  it.each(['<p>no place</p>', template + template])('refuses a template without exactly one place', (wrong) => {
    expect(() => fillReport(wrong, data('x'))).toThrow(RangeError);
  });
});

describe('spread', () => {
  it('keeps the first and the last and spreads the others', () => {
    expect(spread([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 3)).toEqual([0, 5, 10]);
    expect(
      new Set(
        spread(
          Array.from({ length: 9 }, (_, i) => i),
          8,
        ),
      ).size,
    ).toBe(8);
  });

  it('keeps all of a few', () => {
    expect(spread([1, 2], 8)).toEqual([1, 2]);
    expect(spread([], 8)).toEqual([]);
  });
});
