// Short names for what shaders declare, since a package is downloaded: the same in every file, for files include each other's
// heads. Whatever the engine knows by its name keeps it: bindings, sizes, parameters, entry points.

/** No suffix of a number, and no attribute. */
const NAME = /(?<![\w@])[A-Za-z_]\w*/g;
/** A line of the preprocessor; of `//#for NAME in A..B: CODE` what stands before the code. */
const DIRECTIVE = /^\/\/#(?:for\b[^:\n]*:?|.*)/gm;
const PLACEHOLDER = /\$\{[^}]*\}/g;
/** A name that a placeholder is a part of: `x${j}_0`. */
const COMPOSED = /\w*\$\{[^}]*\}(?:\w|\$\{[^}]*\})*/g;
const DECLARATIONS = [
  /\b(?:fn|let|const|alias|struct)\s+(\w+)/g,
  /\bvar(?:<[^>]*>)?\s+(\w+)/g,
  // Parameters and fields.
  /\b([A-Za-z_]\w*)\s*:/g,
];
const BINDING = /@binding\(\d+\)\s*var(?:<[^>]*>)?\s*(\w+)/g;
const ENTRY_POINT = /@(?:compute|vertex|fragment)[^{;]*?\bfn\s+(\w+)/g;
const UNIFORM = /var<uniform>\s*\w+\s*:\s*(\w+)/g;
/** Where WGSL has words of its own. */
const WORDS = /@(?:builtin|interpolate|diagnostic)\([^)]*\)|\bvar<[^>]*>/g;
const COMPONENTS = /^(?:[xyzw]{1,4}|[rgba]{1,4})$/;

/** WGSL's own words: a shader may declare a name that is one of them elsewhere. */
const WGSL =
  `alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop
  override requires return struct switch true var while atomic bool f16 f32 i32 ptr u32 vec2 vec3 vec4 abs acos acosh all any
  array arrayLength asin asinh atan atan2 atanh atomicAdd atomicAnd atomicCompareExchangeWeak atomicExchange atomicLoad
  atomicMax atomicMin atomicOr atomicStore atomicSub atomicXor bitcast ceil clamp cos cosh countLeadingZeros countOneBits
  countTrailingZeros cross degrees determinant distance dot dot4I8Packed dot4U8Packed dpdx dpdxCoarse dpdxFine dpdy dpdyCoarse
  dpdyFine exp exp2 extractBits faceForward firstLeadingBit firstTrailingBit floor fma fract frexp fwidth fwidthCoarse
  fwidthFine insertBits inverseSqrt ldexp length log log2 max min mix modf normalize pack2x16float pack2x16snorm pack2x16unorm
  pack4x8snorm pack4x8unorm pack4xI8 pack4xI8Clamp pack4xU8 pack4xU8Clamp pow quadBroadcast quadSwapDiagonal quadSwapX
  quadSwapY quantizeToF16 radians reflect refract reverseBits round saturate select sign sin sinh smoothstep sqrt step
  storageBarrier subgroupAdd subgroupAll subgroupAnd subgroupAny subgroupBallot subgroupBroadcast subgroupBroadcastFirst
  subgroupElect subgroupExclusiveAdd subgroupExclusiveMul subgroupInclusiveAdd subgroupInclusiveMul subgroupMax subgroupMin
  subgroupMul subgroupOr subgroupShuffle subgroupShuffleDown subgroupShuffleUp subgroupShuffleXor subgroupXor tan tanh
  textureBarrier textureDimensions textureGather textureLoad textureSample textureSampleLevel textureStore transpose trunc
  unpack2x16float unpack2x16snorm unpack2x16unorm unpack4x8snorm unpack4x8unorm unpack4xI8 unpack4xU8 workgroupBarrier
  workgroupUniformLoad`.split(/\s+/);
/** Of its reserved words those as short as names that are made here. */
const SHORT_WORDS = 'as do of asm get mod mut new nil pub ref std try use'.split(' ');

/**
 * @param {readonly string[]} texts shader files without comments: all that are ever put together
 * @returns {Map<string, string>} from declared names to others, which no name that is kept has
 */
export function shortNames(texts) {
  const whole = texts.join('\n');
  const code = whole.replace(DIRECTIVE, '');
  const declared = new Set(DECLARATIONS.flatMap((pattern) => firstGroups(code, pattern)));
  const isKept = namesKept(whole, code);
  const counts = new Map();
  const taken = new Set([...WGSL, ...SHORT_WORDS]);
  for (const name of whole.match(NAME) ?? []) {
    if (declared.has(name) && !isKept(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
    else taken.add(name);
  }
  const fresh = words();
  const names = new Map();
  for (const [name] of [...counts].sort(([, a], [, b]) => b - a)) {
    let short;
    do short = fresh.next().value;
    while (taken.has(short) || COMPONENTS.test(short));
    names.set(name, short);
  }
  return names;
}

/**
 * @param {string} text
 * @param {ReadonlyMap<string, string>} names as of `shortNames`, of this text among others
 */
export function renamed(text, names) {
  return text.replace(NAME, (name) => names.get(name) ?? name);
}

/** What keeps its name. */
function namesKept(whole, code) {
  const composed = code.match(COMPOSED) ?? [];
  const kept = new Set([
    ...WGSL,
    ...[...(whole.match(DIRECTIVE) ?? []), ...(whole.match(PLACEHOLDER) ?? [])].flatMap(
      (text) => text.match(NAME) ?? [],
    ),
    ...composed.flatMap((text) => text.replace(PLACEHOLDER, ' ').match(NAME) ?? []),
    ...[BINDING, ENTRY_POINT].flatMap((pattern) => firstGroups(code, pattern)),
    ...(code.match(WORDS) ?? []).flatMap((text) => text.match(NAME) ?? []),
    ...firstGroups(code, UNIFORM).flatMap((type) => fieldsOf(code, type)),
  ]);
  // What placeholders make is a name too: `peak${j + 1}` with j = 0 … is what `peak1` says.
  const made = composed
    .map((text) => text.replace(PLACEHOLDER, '\\d+'))
    .filter((pattern) => /^[A-Za-z_]/.test(pattern));
  const isMade = new RegExp(`^(?:${[...new Set(made)].join('|')})$`);
  return (name) => kept.has(name) || COMPONENTS.test(name) || isMade.test(name);
}

/** All names within the structs of a name, of whatever kernel. */
function fieldsOf(code, type) {
  return firstGroups(code, new RegExp(`\\bstruct\\s+${type}\\s*\\{([^}]*)\\}`, 'g')).flatMap(
    (text) => text.match(NAME) ?? [],
  );
}

function firstGroups(text, pattern) {
  return [...text.matchAll(pattern)].map(([, group]) => group);
}

/** a, b, … Z, aa, ab, …: letters only, so that no placeholder makes one. */
function* words() {
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  yield* letters;
  for (const word of words()) for (const letter of letters) yield word + letter;
}
