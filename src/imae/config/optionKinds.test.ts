import { describe, expect, test } from 'vitest';
import {
  alphaLaw,
  choice,
  integer,
  nullable,
  number,
  oneOf,
  orWord,
  pair,
  text,
  toggle,
  type Kind,
} from './optionKinds';

/** [kind, what is written, what it reads as (undefined: refused)] */
const written: [string, Kind<unknown>, string, unknown][] = [
  ['integer', integer({ min: 1 }), '1', 1],
  ['integer', integer({ min: 1 }), '0', undefined],
  ['integer', integer({ min: 1 }), '1.5', undefined],
  ['integer', integer({ min: 1 }), '', undefined],
  ['integer', integer({ min: 1 }), '12px', undefined],
  ['integer', integer({ min: 4, multipleOf: 4 }), '36', 36],
  ['integer', integer({ min: 4, multipleOf: 4 }), '34', undefined],
  ['number', number({ min: 0, below: 1 }), '1', undefined],
  ['number', number({ min: 0, below: 1 }), '0', 0],
  ['number', number({ above: 0, max: 1 }), '0', undefined],
  ['number', number({ above: 0, max: 1 }), '1', 1],
  ['number', number(), 'Infinity', undefined],
  ['number', number(), '-1e-3', -0.001],
  ['choice', choice('a', 'b'), 'b', 'b'],
  ['choice', choice('a', 'b'), 'c', undefined],
  ['text', text('FILE', 'a file'), '', undefined],
  ['toggle', toggle(), 'true', true],
  ['toggle', toggle(), 'yes', undefined],
  ['pair', pair({ min: 0, max: 1, ascending: true }), '0.2,1', [0.2, 1]],
  ['pair', pair({ min: 0, max: 1, ascending: true }), '1,0.2', undefined],
  ['pair', pair({ min: 0, max: 1 }), '1,0.2', [1, 0.2]],
  ['pair', pair({ min: 0, max: 1 }), '0.2', undefined],
  ['pair', pair({ min: 0, max: 1 }), '0.2,0.3,0.4', undefined],
  ['nullable', nullable(number(), 'none'), 'none', null],
  ['nullable', nullable(number(), 'none'), '3', 3],
  ['orWord', orWord(number({ max: 1 }), 'random'), 'random', 'random'],
  ['orWord', orWord(number({ max: 1 }), 'random'), '2', undefined],
  ['alpha', alphaLaw(), '0.35', { law: 'fixed', value: 0.35 }],
  ['alpha', alphaLaw(), '1.01', undefined],
  ['alpha', alphaLaw(), 'beta(0.5, 2)', { law: 'beta', a: 0.5, b: 2 }],
  ['alpha', alphaLaw(), 'beta(0,2)', undefined],
  ['alpha', alphaLaw(), 'uniform(0.1,0.45)', { law: 'uniform', low: 0.1, high: 0.45 }],
  ['alpha', alphaLaw(), 'uniform(0.5,0.4)', undefined],
  ['alpha', alphaLaw(), 'uniform(0.5)', undefined],
  ['alpha', alphaLaw(), 'normal(0,1)', undefined],
];

test.each(written)('%s: a flag may say %3$s', (_name, kind, flag, value) => {
  expect(kind.read(kind.parse(flag))).toEqual(value);
});

test.each(written.filter(([name, , , value]) => value !== undefined && name !== 'toggle'))(
  '%s: what is shown of %3$s reads as the same value, and so does its JSON',
  (_name, kind, _flag, value) => {
    expect(kind.read(kind.parse(kind.show(value)))).toEqual(value);
    expect(kind.read(JSON.parse(JSON.stringify(value)))).toEqual(value);
  },
);

describe('oneOf', () => {
  const time = oneOf({
    steps: { kind: integer({ min: 1 }), help: '' },
    epochs: { kind: number({ above: 0 }), help: '' },
  });

  test('takes exactly one of its forms', () => {
    expect(time.read({ steps: 3 })).toEqual({ steps: 3 });
    expect(time.read({ epochs: 0.5 })).toEqual({ epochs: 0.5 });
    for (const wrong of [{}, { steps: 3, epochs: 1 }, { steps: 0.5 }, { toString: 1 }, 3, null, [3]]) {
      expect(time.read(wrong)).toBeUndefined();
    }
  });
});

test('an α law as an object must be complete', () => {
  const law = alphaLaw();
  expect(law.read({ law: 'beta', a: 1, b: 2 })).toEqual({ law: 'beta', a: 1, b: 2 });
  const beta = { law: 'beta', a: 1 };
  for (const wrong of [beta, { ...beta, b: 2, c: 3 }, { ...beta, b: '2' }, { law: 'normal' }, { value: 0.5 }, null]) {
    expect(law.read(wrong)).toBeUndefined();
  }
});
