import type { Instruction, Kind, Listing } from './instruction';

interface Block {
  readonly from: readonly number[];
  readonly code: readonly Instruction[];
}

/** Reads what Mesa's compiler for NVIDIA (NAK) lists of a kernel: blocks, each with those from which it is reached. */
export function readNvidiaListing(text: string): Listing {
  const blocks = blocksOf(text);
  const loops = naturalLoops(blocks);
  const codeOf = (numbers: Iterable<number>): Instruction[] =>
    [...numbers].sort((a, b) => a - b).flatMap((number) => blocks.get(number)?.code ?? []);
  return {
    code: codeOf(blocks.keys()),
    loops: [...loops].map(([head, body]) => {
      const inner = new Set(
        [...loops].flatMap(([other, ofOther]) => (other !== head && body.has(other) ? [...ofOther] : [])),
      );
      return {
        depth: [...loops].filter(([other, ofOther]) => other !== head && ofOther.has(head)).length,
        code: codeOf([...body].filter((number) => !inner.has(number))),
      };
    }),
  };
}

function blocksOf(text: string): Map<number, Block> {
  const blocks = new Map<number, { from: number[]; code: Instruction[] }>();
  let now: { from: number[]; code: Instruction[] } | undefined;
  for (const line of text.split('\n')) {
    const head = /^block(?:\.u)? (\d+) \S+ \[([\d, ]*)\] -> \{/.exec(line);
    if (head) {
      const from = (head[2] ?? '').split(',').filter((each) => each.trim() !== '');
      now = { from: from.map(Number), code: [] };
      blocks.set(Number(head[1]), now);
    } else if (line.startsWith('}')) now = undefined;
    else if (now && line.trim() !== '') now.code.push(readInstruction(line.split('//')[0]?.trim() ?? ''));
  }
  return blocks;
}

/** Loops by their heads: blocks are listed in an order in which a jump back goes to the same or a smaller number. */
function naturalLoops(blocks: ReadonlyMap<number, Block>): Map<number, Set<number>> {
  const loops = new Map<number, Set<number>>();
  for (const [head, { from }] of blocks) {
    for (const tail of from) {
      if (tail < head) continue;
      const body = loops.get(head) ?? new Set([head]);
      loops.set(head, body);
      const open = [tail];
      for (let at = open.pop(); at !== undefined; at = open.pop()) {
        if (body.has(at)) continue;
        body.add(at);
        open.push(...(blocks.get(at)?.from ?? []));
      }
    }
  }
  return loops;
}

function readInstruction(text: string): Instruction {
  const plain = text.replace(/^@!?u?p\d+\s+/, '');
  const [left = '', right] = plain.includes(' = ') ? plain.split(' = ', 2) : ['', plain];
  const operation = right?.split(/\s/)[0] ?? '';
  const kind = kindOf(operation, left.trim());
  if (kind === 'fma') return { kind, work: operation.startsWith('hfma2') ? 2 : 1 };
  if (kind !== 'memory') return { kind };
  return { kind, bytes: Number(/\.b(\d+)/.exec(operation)?.[1] ?? 32) / 8 };
}

const GROUPS: readonly (readonly [Kind, RegExp])[] = [
  ['matrix', /^(hmma|imma|bmma)$/],
  ['fma', /^(ffma|hfma2|dfma)$/],
  ['arithmetic', /^(fadd|fmul|fmnmx|fsetp|fset|fsel|hadd2|hmul2|mufu|fswzadd)$/],
  ['shared', /^(ldsm|atoms)$/],
  ['memory', /^(ld|st|ldg|stg|atom|red|tex|suld|sust)$/],
  ['local', /^(ldl|stl)$/],
  ['constant', /^ldc$/],
  ['barrier', /^(bar|membar|depbar|warpsync)$/],
  ['control', /^(bra|brx|exit|bssy|bsync|bclear|break|nop|vote|bmov|kill|call|ret)$/],
];

function kindOf(operation: string, target: string): Kind {
  if (operation.includes('.shared')) return 'shared';
  if (operation.includes('.local')) return 'local';
  const name = operation.split('.')[0] ?? '';
  const found = GROUPS.find(([, names]) => names.test(name))?.[0];
  return found ?? (/^(ur|up)\d/.test(target) ? 'constant' : 'integer');
}
