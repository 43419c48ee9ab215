// Short names for what shaders declare, the same in every file, since files include each other's heads.

const IDENTIFIER = /[A-Za-z_]\w*/g;
/** A directive; of `//#for NAME in A..B: CODE` without the code. */
const DIRECTIVE = /^[^\S\n]*\/\/#(?:for\b[^:\n]*:?|.*)/gm;
const PLACEHOLDER = /\$\{[^}]*\}/g;
/** A name of which a placeholder writes a part: `x${j}_0`. */
const MADE = /\w*\$\{[^}]*\}(?:\w|\$\{[^}]*\})*/g;
const DECLARED = [
  /\b(?:fn|let|const|alias|struct)\s+(\w+)/g,
  /\bvar(?:<[^>]*>)?\s+(\w+)/g,
  // Parameters and fields.
  /\b([A-Za-z_]\w*)\s*:/g,
];
/** What the engine binds and starts by name. */
const NAMED_OUTSIDE = [/@binding\(\d+\)\s*var(?:<[^>]*>)?\s*(\w+)/g, /@(?:compute|vertex|fragment)[^{;]*?\bfn\s+(\w+)/g];
const UNIFORM = /var<uniform>\s*\w+\s*:\s*(\w+)/g;

/** Words of WGSL that shaders declare names like, or might: functions, builtin values, and words that may not be names. */
const WGSL = new Set(
  `abs acos acosh all any array arrayLength asin asinh atan atan2 atanh atomicAdd atomicAnd atomicCompareExchangeWeak
  atomicExchange atomicLoad atomicMax atomicMin atomicOr atomicStore atomicSub atomicXor bitcast ceil clamp cos cosh
  countLeadingZeros countOneBits countTrailingZeros cross degrees determinant distance dot dot4I8Packed dot4U8Packed exp exp2
  extractBits faceForward firstLeadingBit firstTrailingBit floor fma fract frexp insertBits inverseSqrt ldexp length log log2
  max min mix modf normalize pack2x16float pack2x16snorm pack2x16unorm pack4x8snorm pack4x8unorm pack4xI8 pack4xU8 pow
  quantizeToF16 radians reflect refract reverseBits round saturate select sign sin sinh smoothstep sqrt step storageBarrier
  tan tanh textureLoad textureSample textureStore transpose trunc unpack2x16float unpack4x8unorm workgroupBarrier
  workgroupUniformLoad position instance_index vertex_index default as do fn if of`.split(/\s+/),
);
const SWIZZLE = /^(?:[xyzw]{1,4}|[rgba]{1,4})$/;

export function shortNames(texts) {
  const whole = texts.join('\n').replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/(?!#).*$/gm, '');
  const code = whole.replace(DIRECTIVE, '');
  const declared = new Set(DECLARED.flatMap((pattern) => [...code.matchAll(pattern)].map(([, name]) => name)));
  const kept = keptNames(whole, code);
  const counts = new Map();
  const taken = new Set(WGSL);
  for (const [name] of whole.matchAll(IDENTIFIER)) {
    if (declared.has(name) && !kept(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
    else taken.add(name);
  }
  const names = new Map();
  const fresh = letters();
  for (const [name] of [...counts].sort(([, a], [, b]) => b - a)) {
    let short;
    do short = fresh.next().value;
    while (taken.has(short) || SWIZZLE.test(short));
    names.set(name, short);
  }
  return names;
}

function keptNames(whole, code) {
  const outside = [...whole.matchAll(DIRECTIVE), ...whole.matchAll(PLACEHOLDER)].flatMap(([text]) => text.match(IDENTIFIER) ?? []);
  for (const pattern of NAMED_OUTSIDE) for (const [, name] of code.matchAll(pattern)) outside.push(name);
  for (const [, type] of code.matchAll(UNIFORM)) {
    for (const [, fields] of code.matchAll(new RegExp(`struct\\s+${type}\\s*\\{([^}]*)\\}`, 'g'))) {
      outside.push(...(fields.match(IDENTIFIER) ?? []));
    }
  }
  const made = [...new Set([...code.matchAll(MADE)].map(([text]) => text.replace(PLACEHOLDER, '\\d+')))].filter((p)=>/^[A-Za-z_]/.test(p));
  const isMade = new RegExp(`^(?:${made.join('|')})$`);
  const parts = new Set([...code.matchAll(MADE)].flatMap(([text]) => text.replace(PLACEHOLDER, ' ').match(IDENTIFIER) ?? []));
  const all = new Set([...WGSL, ...outside, ...parts]);
  return (name) => all.has(name) || SWIZZLE.test(name) || isMade.test(name);
}

function* letters() {
  const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  for (const a of alphabet) yield a;
  for (const a of alphabet) for (const b of alphabet) yield a + b;
  for (const a of alphabet) for (const b of alphabet) for (const c of alphabet) yield a + b + c;
}
