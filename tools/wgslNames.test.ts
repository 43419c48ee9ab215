import { create, globals } from 'webgpu';
import { describe, expect, it } from 'vitest';
import { shaders } from '../shaders/index';
import { parseShader, type Kernel } from '../src/gpu/shader';
import { MATRIX_FEATURE, MATRIX_TOGGLES } from '../src/gpu/subgroupMatrix';
import { renamed, sectionsOf, shortNames } from './wgslNames';
import { strippedWgsl } from './wgslText';

/** Of all parameters of a kernel: its numbers, and its flags. */
const VALUES = [
  [1, false],
  [4, false],
  [4, true],
] as const;

let gpu: GPU | undefined; // it must outlive the device

/** What becomes of one file. */
function short(text: string): string {
  return renamed(text, shortNames([text]));
}

describe('short names', () => {
  it('are given to functions, variables, parameters, types and their fields', () => {
    const text =
      'struct Pair{first:u32}\nfn sumOf(pair:Pair)->u32{var total=pair.first;\nlet two=2u;\nreturn total+two;}';
    const found = short(text);
    expect(found).not.toMatch(/Pair|first|sumOf|pair|total|two/);
    expect(found.replace(/\b[a-z]\b/g, '?')).toBe(
      'struct ?{?:u32}\nfn ?(?:?)->u32{var ?=?.?;\nlet ?=2u;\nreturn ?+?;}',
    );
  });

  it.each([
    ['bindings', '@group(0)@binding(0)var<storage,read>logits:array<f32>;\nlet x=logits[0];', 'logits'],
    ['sizes', 'struct Sizes{width:u32}\n@group(0)@binding(0)var<uniform>sizes:Sizes;\nlet x=sizes.width;', 'width'],
    ['entry points', '@compute @workgroup_size(64)\nfn main(@builtin(local_invocation_index)local:u32){}', 'main'],
    ['attributes', '@group(0)@binding(0)var<storage>x:u32;\nlet group=x;', '@group'],
    ['builtin values', 'fn f(@builtin(position)position:vec4f){}', 'position'],
    ['parameters', '//#param LANES:u32\n//#if LANES>1\nlet LANES=LANES;\n//#end', 'LANES'],
    ['names of loops', '//#for turn in 0..4:let turn=${turn};', 'turn'],
    ['what placeholders make', 'let peak0=1;\n//#for j in 0..4:let peak${j+1}=peak${j};\nlet y=peak4;', 'peak0'],
    ['words of WGSL', 'switch a{case 0:{}\ndefault:{}}', 'default'],
    ['functions of WGSL', 'let step=1;\nlet y=step(a,b);', 'step'],
    ['components', 'let rgb=v.rgb;', 'rgb'],
  ])('are not given to %s', (_, text, kept) => {
    expect(short(text)).toContain(kept);
    expect([...shortNames([text]).values()].filter((names) => names.has(kept))).toEqual([]);
  });

  it('take no suffix of a number, and nothing that is there', () => {
    expect(short('let u=2u;\nlet far=a+b+u;')).toMatch(/^let ([c-z])=2u;\nlet ([c-z])=a\+b\+\1;$/);
  });

  it('are the same in kernels that do the like, whatever those call it', () => {
    const kernels = ['near', 'far', 'wide'].map((name) => `//#kernel k_${name}\nlet ${name}=1u;\nlet a=${name};\n`);
    const found = kernels.map((text) => renamed(text, shortNames(kernels)).split('\n')[1]);
    expect(found[0]).toMatch(/^let [b-z]=1u;$/);
    expect(new Set(found).size).toBe(1);
  });

  it('of all shaders lead back to what was there', () => {
    const texts = Object.values(shaders).map(strippedWgsl);
    const names = shortNames(texts);
    const wordsOf = (section: string): [string, string][] =>
      (section.match(/\b[A-Za-z_]\w*/g) ?? []).map((word) => [word, names.get(section)?.get(word) ?? word]);
    // Any head may stand before any kernel.
    const heads = new Map(texts.flatMap((text) => wordsOf(sectionsOf(text)[0] ?? '')));
    let renamedWords = 0;
    for (const section of texts.flatMap(sectionsOf)) {
      const words = wordsOf(section);
      expect(words.filter(([word, shortened]) => (heads.get(word) ?? shortened) !== shortened)).toEqual([]);
      const all = new Map([...heads, ...words]);
      expect(new Set(all.values()).size).toBe(all.size);
      renamedWords += words.filter(([word, shortened]) => word !== shortened).length;
    }
    expect(renamedWords).toBeGreaterThan(3000);
  });

  // Dawn's null backend computes nothing, and checks what it is given as any other does.
  it('leave every kernel as valid as it was', async () => {
    Object.assign(globalThis, globals);
    gpu = create(['backend=null', `enable-dawn-features=${MATRIX_TOGGLES.join(',')}`]);
    const requiredFeatures = ['shader-f16', 'subgroups', MATRIX_FEATURE] as GPUFeatureName[];
    const device = await (await gpu.requestAdapter())?.requestDevice({ requiredFeatures });
    if (!device) throw new Error('The null backend has no device.');
    /** What is wrong with a kernel, line by line, without the names; undefined where its directives don't take the values. */
    const verdict = async (kernel: Kernel, number: number, flag: boolean): Promise<string[] | undefined> => {
      const values = [...kernel.params].map(([name, type]) => [name, type === 'bool' ? flag : number] as const);
      const given = { ...Object.fromEntries(values), TYPE: 0, FUNCTION: 0 };
      const code = codeOf(
        kernel,
        Object.fromEntries(Object.entries(given).filter(([name]) => kernel.params.has(name))),
      );
      if (code === undefined) return undefined;
      device.pushErrorScope('validation');
      const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
      await device.popErrorScope();
      return messages.filter(({ type }) => type === 'error').map(({ lineNum }) => `line ${lineNum}`);
    };
    const stripped = Object.fromEntries(Object.entries(shaders).map(([path, text]) => [path, strippedWgsl(text)]));
    const names = shortNames(Object.values(stripped));
    const shortened = Object.fromEntries(Object.entries(stripped).map(([path, text]) => [path, renamed(text, names)]));
    const neverValid: string[] = [];
    for (const [path, text] of Object.entries(stripped)) {
      const after = parseShader(path, shortened[path] ?? '', shortened);
      for (const [name, kernel] of Object.entries(parseShader(path, text, stripped))) {
        let isValid = false;
        for (const [number, flag] of VALUES) {
          const found = await verdict(kernel, number, flag);
          expect(await verdict(after[name] as Kernel, number, flag), `${name} of ${number}, ${flag}`).toEqual(found);
          isValid ||= found?.length === 0;
        }
        if (!isValid) neverValid.push(name);
      }
    }
    expect(neverValid).toEqual([]);
    device.destroy();
  });
});

function codeOf(kernel: Kernel, values: Parameters<Kernel['specialize']>[0]): string | undefined {
  try {
    return kernel.specialize(values).code;
  } catch {
    return undefined;
  }
}
