import { expect, it } from 'vitest';
import { printKernel } from './printKernel';

it('lists all kernels by their files, once each', () => {
  const { text, code } = printKernel([]);
  expect(code).toBe(0);
  expect(text).toContain('shaders/sameBits.wgsl\n  sameBits');
  expect(text).toMatch(/^shaders\/attention\/plain\.wgsl\n {2}attentionPlainForward KEY_MASK=bool BIAS=bool WG=u32$/m);
  const names = [...text.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name);
  expect(names).toEqual([...new Set(names)]);
});

it('prints a kernel with the heads that it uses and its parameters filled in', () => {
  const { text, code } = printKernel(['attentionPlainForward', 'KEY_MASK=0', 'BIAS=true', 'WG=64']);
  expect(code).toBe(0);
  expect(text).toContain('const WG = 64u;');
  expect(text).toContain('const BIAS = true;');
  expect(text).toContain('struct Sizes {');
  expect(text).toContain('var<storage, read> bias: array<f32>;');
  expect(text).not.toMatch(/var<storage, read> keyMask|\/\/#|\$\{|\n\n\n/);
});

it.each([
  [['atentionForward'], "There is no kernel 'atentionForward'. Near: attentionForward"],
  [['attentionPlainForward', 'WG=64'], 'attentionPlainForward lacks KEY_MASK=bool BIAS=bool.\n'],
  [['attentionPlainForward', 'D=64'], "'D=64' is no PARAM=VALUE of attentionPlainForward. It takes KEY_MASK=bool"],
  [['attentionPlainForward', 'WG'], "'WG' is no PARAM=VALUE of attentionPlainForward."],
  [['attentionPlainForward', 'WG=-1'], "'WG=-1' is not of type u32."],
  [['attentionPlainForward', 'BIAS=2'], "'BIAS=2' is not 0, 1, true or false."],
  [['sameBits', 'A=1'], "'A=1' is no PARAM=VALUE of sameBits. It takes none."],
])('says what is wrong with %j', (args, message) => {
  const { text, code } = printKernel(args);
  expect(code).toBe(2);
  expect(text).toContain(message);
  expect(text).toContain('npm run wgsl -- KERNEL PARAM=VALUE');
});
