/** Values of a kernel's parameters, by name. */
export type ParamValues = Readonly<Record<string, number | boolean>>;

const TOKEN = /\s*(\d+(?:\.\d+)?|[A-Za-z_]\w*|\|\||&&|[<>=!]=|[-+*/%<>!()])/y;

const BINARY: readonly Readonly<Record<string, (a: number, b: number) => number>>[] = [
  { '||': (a, b) => Number(a !== 0 || b !== 0) },
  { '&&': (a, b) => Number(a !== 0 && b !== 0) },
  { '==': (a, b) => Number(a === b), '!=': (a, b) => Number(a !== b) },
  {
    '<': (a, b) => Number(a < b),
    '>': (a, b) => Number(a > b),
    '<=': (a, b) => Number(a <= b),
    '>=': (a, b) => Number(a >= b),
  },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  { '*': (a, b) => a * b, '/': (a, b) => Math.trunc(a / b), '%': (a, b) => a % b },
];

/**
 * Evaluates the integer expressions of shader directives: `+ - * / %`, comparisons, `&& || !`, parentheses, parameter
 * names. Division truncates; true is 1. Throws an Error that names the expression.
 */
export function evaluate(expression: string, values: ParamValues): number {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let end = 0; end < expression.trimEnd().length; end = TOKEN.lastIndex) {
    TOKEN.lastIndex = end;
    const match = TOKEN.exec(expression);
    if (!match?.[1]) throw new Error(`cannot read '${expression.slice(end)}' in '${expression}'`);
    tokens.push(match[1]);
  }
  let at = 0;

  function primary(): number {
    const token = tokens[at++];
    if (token === undefined) throw new Error(`'${expression}' ends too early`);
    if (token === '!') return Number(primary() === 0);
    if (token === '-') return -primary();
    if (token === '(') {
      const inner = binary(0);
      if (tokens[at++] !== ')') throw new Error(`')' is missing in '${expression}'`);
      return inner;
    }
    if (/^\d/.test(token)) return Number(token);
    const value = values[token];
    if (value === undefined) throw new Error(`'${token}' in '${expression}' is no parameter`);
    return Number(value);
  }

  function binary(level: number): number {
    const operators = BINARY[level];
    if (!operators) return primary();
    let left = binary(level + 1);
    for (;;) {
      const apply = operators[tokens[at] ?? ''];
      if (!apply) return left;
      at++;
      left = apply(left, binary(level + 1));
    }
  }

  const result = binary(0);
  if (at < tokens.length) throw new Error(`'${tokens[at]}' is left over in '${expression}'`);
  return result;
}
