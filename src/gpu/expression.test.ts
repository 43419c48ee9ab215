import { describe, expect, it } from 'vitest';
import { evaluate } from './expression';

describe('evaluate', () => {
  const values = { A: 7, B: 2, YES: true, NO: false, loop_1: 3 };

  it.each([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['10 - 3 - 2', 5],
    ['A / B', 3],
    ['-A / B', -3],
    ['A / B * B', 6],
    ['A % B + 1', 2],
    ['2 * -3', -6],
    ['- -3', 3],
    ['1 + 2 < 4', 1],
    ['2 < 1 + 0', 0],
    ['A >= 7 && B <= 2', 1],
    ['A > 7 || B < 2', 0],
    ['1 || 0 && 0', 1],
    ['(1 || 0) && 0', 0],
    ['1 < 2 == 1', 1],
    ['A != B', 1],
    ['A == 7', 1],
    ['!YES', 0],
    ['!NO && YES', 1],
    ['!(A == 7)', 0],
    ['loop_1*4+1', 13],
    ['0.5 * 4', 2],
    ['  A  ', 7],
  ])('%s = %d', (expression, expected) => {
    expect(evaluate(expression, values)).toBe(expected);
  });

  it.each([
    ['', "'' ends too early"],
    ['1 +', "'1 +' ends too early"],
    ['(1 + 2', "')' is missing in '(1 + 2'"],
    ['1 2', "'2' is left over in '1 2'"],
    ['1 )', "')' is left over in '1 )'"],
    ['C + 1', "'C' in 'C + 1' is no parameter"],
    ['A = 1', "cannot read ' = 1' in 'A = 1'"],
    ['A ? 1', "cannot read ' ? 1' in 'A ? 1'"],
    ['* 2', "'*' in '* 2' is no parameter"],
  ])('refuses %j', (expression, message) => {
    expect(() => evaluate(expression, values)).toThrow(message);
  });
});
