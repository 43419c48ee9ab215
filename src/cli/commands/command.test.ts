import { expect, test } from 'vitest';
import { toggle } from '../../imae/config/optionKinds';
import { commandOption, makeCommand } from './command';

test('a switch is on or off as it is said, else as by default', async () => {
  const seen: (readonly [boolean, boolean])[] = [];
  const command = makeCommand({
    name: 'try',
    about: 'tries switches',
    options: { 'from-on': commandOption(toggle(), true, 'on'), 'from-off': commandOption(toggle(), false, 'off') },
    examples: [],
    run: async (values) => {
      seen.push([values['from-on'], values['from-off']]);
      return 0;
    },
  });
  for (const args of [
    [],
    ['--no-from-on', '--from-off'],
    ['--from-on', '--no-from-off'],
    ['--no-from-on', '--from-on'],
  ]) {
    expect(await command.run(args)).toBe(0);
  }
  expect(seen).toEqual([
    [true, false],
    [false, true],
    [true, false],
    [true, false],
  ]);
});
