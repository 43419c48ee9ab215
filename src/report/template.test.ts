import { describe, expect, it } from 'vitest';
import { DATA_PLACE, fillTemplate } from './template';

describe('fillTemplate', () => {
  const template = `<p>before</p>${DATA_PLACE}<p>after</p>`;

  it.each([
    'plain',
    '</script><script>alert(1)</script>',
    '<!-- <script> -->',
    '</ScRiPt >',
    'quotes " \' and \\u003c',
    '$& $1 $$ $`',
    'lines \n\u2028\u2029 é 図',
  ])('carries %j as data', (name) => {
    const page = fillTemplate(template, { name });
    const match = /^<p>before<\/p><script type="application\/json" id="data">([^<]*)<\/script><p>after<\/p>$/.exec(
      page,
    );
    expect(JSON.parse(match?.[1] ?? '')).toEqual({ name });
  });

  it.each(['<p>no place</p>', template + template])('refuses a template without exactly one place', (wrong) => {
    expect(() => fillTemplate(wrong, {})).toThrow(RangeError);
  });
});
