import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { judge } from './judge';
import { printReport } from './print';
import type { Report } from './report';
import { driver, LAVAPIPE, LOADER, machine, RELEASES, STRIPPED, SWIFTSHADER } from '../testing/testMachines';

const REPORT: Report = {
  sections: [
    {
      title: 'GPU',
      findings: [
        { mark: 'ok', text: 'one that works' },
        {
          mark: 'missing',
          text: 'another that the system does not have a driver for',
          details: ['it holds 32 KiB\nand more'],
        },
      ],
    },
  ],
  verdict: { mark: 'warning', text: 'it works' },
  fixes: [{ title: 'A driver:', commands: ['sudo install the-driver --with many words --that no-terminal-may-break'] }],
  usable: true,
};

describe('a printed report', () => {
  it('is aligned, broken between words, and leaves commands whole', () => {
    expect(printReport(REPORT, { color: false, columns: 42 })).toBe(
      [
        'GPU',
        '  ok       one that works',
        '  missing  another that the system does',
        '           not have a driver for',
        '           it holds 32 KiB',
        '           and more',
        '',
        'Verdict',
        '  warning  it works',
        '',
        'To mend',
        '  1. A driver:',
        '       sudo install the-driver --with many words --that no-terminal-may-break',
        '',
      ].join('\n'),
    );
  });

  it('says the same in colour', () => {
    const colored = printReport(REPORT, { color: true, columns: 42 });
    expect(colored).toContain('\x1b[32mok\x1b[39m');
    expect(colored).toContain('\x1b[31mmissing\x1b[39m');
    expect(stripVTControlCharacters(colored)).toBe(printReport(REPORT, { color: false, columns: 42 }));
  });

  it('has nothing to mend where nothing is missing', () => {
    expect(printReport({ ...REPORT, fixes: [] }, { color: false, columns: 80 })).not.toContain('To mend');
  });

  it.each([60, 80])('fits %i columns but for commands, on every machine', (columns) => {
    const machines = [
      STRIPPED,
      machine({ system: { libc: { name: 'musl' }, release: RELEASES.alpine } }),
      machine({
        gpus: [{ vendor: 'nvidia', id: '10de:2684' }],
        system: { container: 'Docker' },
        vulkan: { loader: LOADER, drivers: [driver('lvp')] },
        adapters: { listed: { names: [LAVAPIPE.name] }, chosen: LAVAPIPE, others: [SWIFTSHADER] },
      }),
    ];
    for (const facts of machines) {
      const report = judge(facts);
      const commands = report.fixes.flatMap((fix) => fix.commands);
      const lines = printReport(report, { color: false, columns }).split('\n');
      expect(lines.filter((line) => line.length > columns && !commands.includes(line.trim()))).toEqual([]);
    }
  });
});
