// Short names for what shaders declare, since a package is downloaded. Whatever the engine knows by its name keeps it: bindings, sizes, parameters, entry points.

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

/** Names that so many kernels declare are the same in all of these. */
const SHARED = 4;

/**
 * Names of heads are the same in every file, since any may include them, and so are those of several kernels. The others are
 * called by their order in the kernel, alike in all kernels: gzip packs best what it has seen before.
 *
 * @param {readonly string[]} texts shader files without comments: all that are ever put together
 * @returns {Map<string, Map<string, string>>} of each section (`sectionsOf`) from declared names to others, which no name that is
 *   kept has
 */
export function shortNames(texts) {
  const files = texts.map(sectionsOf);
  const keys = keysOf(files);
  const counts = new Map();
  const taken = new Set([...WGSL, ...SHORT_WORDS]);
  for (const section of files.flat()) {
    for (const name of section.match(NAME) ?? []) {
      const key = keys.get(section).get(name);
      if (key === undefined) taken.add(name);
      else counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  const fresh = words();
  const shorts = new Map();
  for (const [key] of [...counts].sort(([, a], [, b]) => b - a)) {
    let short;
    do short = fresh.next().value;
    while (taken.has(short) || COMPONENTS.test(short));
    shorts.set(key, short);
  }
  const named = (own) => new Map([...own].map(([name, key]) => [name, shorts.get(key)]));
  return new Map([...keys].map(([section, own]) => [section, named(own)]));
}

/**
 * @param {string} text
 * @param {ReadonlyMap<string, ReadonlyMap<string, string>>} names as of `shortNames`, of this text among others
 */
export function renamed(text, names) {
  return sectionsOf(text)
    .map((section) => section.replace(NAME, (name) => names.get(section).get(name) ?? name))
    .join('');
}

/**
 * The head of a shader file, then its kernels.
 *
 * @param {string} text
 */
export function sectionsOf(text) {
  const [first = '', ...kernels] = text.split(/^(?=\/\/#kernel\s)/m);
  return first.startsWith('//#kernel') ? ['', first, ...kernels] : [first, ...kernels];
}

/** Of each section the names that are renamed, and for each what it shares its short name with: a name, or a place. */
function keysOf(files) {
  const heads = files.map(([head]) => head).join('\n');
  const inHeads = new Set(heads.match(NAME));
  const whole = files.flat().join('\n');
  const ofHeads = renamable(whole, whole).filter((name) => inHeads.has(name));
  const kernels = new Set(files.flatMap(([, ...sections]) => sections));
  const own = new Map(
    [...kernels].map((section) => {
      const names = renamable(section, `${heads}\n${section}`);
      return [section, names.filter((name) => !inHeads.has(name))];
    }),
  );
  const uses = new Map();
  for (const name of [...own.values()].flat()) uses.set(name, (uses.get(name) ?? 0) + 1);
  const keys = (section) => {
    const places = (own.get(section) ?? []).map((name, place) => [name, uses.get(name) >= SHARED ? name : place]);
    return new Map([...ofHeads.map((name) => [name, name]), ...places]);
  };
  return new Map(files.flat().map((section) => [section, keys(section)]));
}

/** The names that a text declares, but for those that are kept, in the order of the text. */
function renamable(text, surroundings) {
  const code = text.replace(DIRECTIVE, '');
  const declared = new Set(DECLARATIONS.flatMap((pattern) => firstGroups(code, pattern)));
  const isKept = namesKept(surroundings);
  return [...new Set(text.match(NAME))].filter((name) => declared.has(name) && !isKept(name));
}

/** What keeps its name. */
function namesKept(whole) {
  const code = whole.replace(DIRECTIVE, '');
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
