import type { Instruction, Kind, Listing } from './instruction';

/** What is no issue slot of a SIMD: waits, hints to the scheduler. */
const NO_SLOT = /^s_(waitcnt|wait_|delay_alu|nop|clause|sleep|inst_prefetch|set_inst_prefetch|code_end|setprio)/;

/** `v_fma_f32`, `v_fmac_f32`, `v_fmamk_f32`, and before RDNA `v_mac_f32`, `v_mad_f32`, `v_madak_f32`. */
const MULTIPLY_ADD = /fma\w*|\b(?:v|dual)_(?:mac|mad|madak|madmk)_f\w+/g;

/**
 * Reads what Mesa's compiler for AMD (ACO) lists of a kernel. A loop is what lies between a label and a jump back to it.
 */
export function readAmdListing(text: string): Listing {
  const labels = new Map<string, number>();
  const code: Instruction[] = [];
  const jumps: { readonly to: string; readonly at: number }[] = [];
  for (const line of text.split('\n')) {
    const label = /^(BB\d+):/.exec(line)?.[1];
    if (label !== undefined) {
      labels.set(label, code.length);
      continue;
    }
    const instruction = line.split(';')[0]?.trim() ?? '';
    if (!/^[a-z]/.test(instruction) || NO_SLOT.test(instruction)) continue;
    const to = /^s_c?branch\w*\s+(BB\d+)/.exec(instruction)?.[1];
    if (to !== undefined) jumps.push({ to, at: code.length });
    code.push(readInstruction(instruction));
  }
  const ranges = jumps.flatMap(({ to, at }) => {
    const first = labels.get(to);
    return first !== undefined && first <= at ? [{ first, last: at }] : [];
  });
  return { code, loops: loopsOf(code, ranges) };
}

interface Range {
  readonly first: number;
  readonly last: number;
}

function loopsOf(code: readonly Instruction[], found: readonly Range[]): Listing['loops'] {
  // Several jumps back to one label are one loop.
  const byFirst = new Map<number, Range>();
  for (const range of found) {
    const known = byFirst.get(range.first);
    if (!known || known.last < range.last) byFirst.set(range.first, range);
  }
  const ranges = [...byFirst.values()].sort((a, b) => a.first - b.first || b.last - a.last);
  const holds = (outer: Range, inner: Range): boolean =>
    outer !== inner && outer.first <= inner.first && inner.last <= outer.last;
  return ranges.map((range) => {
    const within = ranges.filter((other) => holds(range, other));
    return {
      depth: ranges.filter((other) => holds(other, range)).length,
      code: code
        .slice(range.first, range.last + 1)
        .filter((_, index) =>
          within.every(({ first, last }) => range.first + index < first || range.first + index > last),
        ),
    };
  });
}

function readInstruction(text: string): Instruction {
  const name = text.split(/\s/)[0] ?? '';
  const kind = kindOf(name, text);
  if (kind === 'memory') return { kind, bytes: bytesOf(name) };
  // A pair that is issued together (`v_dual_…`) may be two multiply-adds.
  const adds = text.match(MULTIPLY_ADD)?.length ?? 0;
  return kind === 'fma' ? { kind, work: /^v_pk_fma/.test(name) ? 2 : adds } : { kind };
}

function kindOf(name: string, text: string): Kind {
  if (/wmma|mfma/.test(name)) return 'matrix';
  if (name.startsWith('v_') && text.search(MULTIPLY_ADD) >= 0) return 'fma';
  if (name.startsWith('ds_')) return 'shared';
  if (name.startsWith('scratch_')) return 'local';
  if (/^(buffer|global|flat)_/.test(name)) return 'memory';
  if (/^s_(buffer_)?load/.test(name)) return 'constant';
  if (name.startsWith('s_barrier')) return 'barrier';
  if (/^s_(c?branch|endpgm|setpc|swappc|getpc)/.test(name)) return 'control';
  if (/_(f16|f32|f64|bf16)(_|$)/.test(name)) return 'arithmetic';
  return 'integer';
}

/** Bytes of a memory instruction by its name: `buffer_load_b128`, `global_store_dwordx4`, `buffer_load_ushort`. */
function bytesOf(name: string): number {
  const bits = /_(?:[biuf])(\d+)/.exec(name)?.[1];
  if (bits !== undefined) return Number(bits) / 8;
  const words = /dword(?:x(\d))?/.exec(name);
  if (words) return 4 * Number(words[1] ?? 1);
  return /short/.test(name) ? 2 : /byte/.test(name) ? 1 : 4;
}
