import { cleanText, spaceChinese, toLower } from './characters.js';
import * as data from './normal-data.js';
import { isIn, without } from './unicode.js';

// Normal forms (UAX 15) by tables of our own, whatever the JavaScript engine knows. They are those of Unicode 9.0, as in
// unicode-normalization-alignments of Rust's tokenizers, which their models were trained with: what was assigned later stays as it is.

export type Form = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** No decomposition, class or composition lies beyond this code point. */
const KNOWN = 0x30000;

/** What a code point does; a form looks only at texts that hold one that matters to it. */
const DOES = { decompose: 1, decomposeCompatibly: 2, combine: 4, compose: 8, change: 16, changeCompatibly: 32 } as const;
const MATTERS: Record<Form, number> = {
  NFD: DOES.decompose | DOES.combine,
  NFKD: DOES.decomposeCompatibly | DOES.combine,
  NFC: DOES.combine | DOES.compose | DOES.change,
  NFKC: DOES.combine | DOES.compose | DOES.change | DOES.changeCompatibly,
};

/** Hangul syllables are computed: first code points of leading, vowel and trailing letters, and how many there are. */
const [SYLLABLE, LEADING, VOWEL, TRAILING] = [0xac00, 0x1100, 0x1161, 0x11a7];
const [LEADINGS, VOWELS, TRAILINGS] = [19, 21, 28];
const SYLLABLES = LEADINGS * VOWELS * TRAILINGS;

type Decompositions = ReadonlyMap<number, readonly number[]>;

interface Tables {
  does: Uint8Array;
  classes: Uint8Array;
  /** Full decompositions, of all steps. */
  canonical: Decompositions;
  compatible: Decompositions;
  /** first * 2^21 + second -> what they make. */
  pairs: ReadonlyMap<number, number>;
}

let known: Tables | undefined;
const tables = (): Tables => (known ??= readTables());
const keyOf = (first: number, second: number): number => first * 0x200000 + second;

function readDecompositions(text: string, steps: Map<number, readonly number[]>): Set<number> {
  const excluded = new Set<number>();
  let [code, part] = [0, 0];
  for (const entry of text.split(',')) {
    const [skip, move, ...rest] = entry.split(' ').map((number) => Number.parseInt(number, 36)) as [number, number, ...number[]];
    code += skip;
    part += move;
    steps.set(code, [part, ...rest]);
    if (entry.endsWith('!')) excluded.add(code);
  }
  return excluded;
}

function readClasses(): Uint8Array {
  const classes = new Uint8Array(KNOWN);
  let start = 0;
  for (const run of data.COMBINING.split(',')) {
    const [skip, count, value] = run.split(' ').map((number) => Number.parseInt(number, 36)) as [number, number, number];
    start += skip;
    classes.fill(value, start, start + count);
  }
  return classes;
}

/** Every step of every decomposition. */
function inFull(steps: Decompositions): Decompositions {
  const full = new Map<number, readonly number[]>();
  const expand = (code: number): readonly number[] => {
    const parts = steps.get(code);
    if (!parts) return [code];
    const made = full.get(code) ?? parts.flatMap(expand);
    full.set(code, made);
    return made;
  };
  for (const code of steps.keys()) expand(code);
  return full;
}

function readTables(): Tables {
  const steps = new Map<number, readonly number[]>();
  const excluded = readDecompositions(data.CANONICAL, steps);
  const classes = readClasses();
  const canonical = inFull(steps);
  const pairs = new Map<number, number>();
  for (const [code, [first, second]] of steps) {
    if (second !== undefined && !excluded.has(code) && !classes[code] && !classes[first!]) pairs.set(keyOf(first!, second), code);
  }
  readDecompositions(data.COMPATIBLE, steps);
  const compatible = inFull(steps);
  return { does: whatTheyDo({ classes, canonical, compatible, pairs }), classes, canonical, compatible, pairs };
}

function whatTheyDo({ classes, canonical, compatible, pairs }: Omit<Tables, 'does'>): Uint8Array {
  const does = new Uint8Array(KNOWN);
  const mark = (code: number, bit: number) => void (does[code]! |= bit);
  classes.forEach((value, code) => value && mark(code, DOES.combine));
  for (const key of pairs.keys()) mark(key % 0x200000, DOES.compose);
  does.fill(DOES.decompose | DOES.decomposeCompatibly, SYLLABLE, SYLLABLE + SYLLABLES);
  does.fill(DOES.compose, VOWEL, VOWEL + VOWELS);
  does.fill(DOES.compose, TRAILING + 1, TRAILING + TRAILINGS);
  const composed = new Set(pairs.values());
  for (const code of canonical.keys()) mark(code, DOES.decompose | (composed.has(code) ? 0 : DOES.change));
  for (const code of compatible.keys()) {
    mark(code, DOES.decomposeCompatibly | (composed.has(code) && canonical.get(code)!.every((part) => !compatible.has(part)) ? 0 : DOES.changeCompatibly));
  }
  return does;
}

/** Does the form leave alone what is before such a code point, and after it? A text may be cut there. */
export function isBoundary(form: Form): (code: number) => boolean {
  const { does } = tables();
  return (code) => code >= KNOWN || (does[code]! & MATTERS[form]) === 0;
}

/** The text in a normal form. Stretches that the form does not touch are copied as they are. */
export function normalize(text: string, form: Form): string {
  const { does } = tables();
  const [matters, composes] = [MATTERS[form], form === 'NFC' || form === 'NFKC'];
  let [out, done] = ['', 0];
  for (let at = 0; at < text.length; at++) {
    if ((does[text.charCodeAt(at)]! & matters) === 0 && !isHigh(text.charCodeAt(at))) continue;
    const code = text.codePointAt(at)!;
    if (code >= KNOWN || (does[code]! & matters) === 0) {
      at += code > 0xffff ? 1 : 0;
      continue;
    }
    const from = composes ? before(text, at, done) : at;
    at = stretchEnd(text, at, does, matters);
    out += text.slice(done, from) + rewritten(text.slice(from, at), form);
    done = at--;
  }
  return done ? out + text.slice(done) : text;
}

const isHigh = (unit: number): boolean => (unit & 0xfc00) === 0xd800;

/** Where the character in front of a place begins: what follows may be composed with it. */
function before(text: string, at: number, least: number): number {
  if (at <= least) return at;
  return at - 2 >= least && text.codePointAt(at - 2)! > 0xffff ? at - 2 : at - 1;
}

function stretchEnd(text: string, from: number, does: Uint8Array, matters: number): number {
  for (let at = from; at < text.length; ) {
    const code = text.codePointAt(at)!;
    if (code >= KNOWN || (does[code]! & matters) === 0) return at;
    at += code > 0xffff ? 2 : 1;
  }
  return text.length;
}

function rewritten(text: string, form: Form): string {
  const { canonical, compatible } = tables();
  const codes = decomposed(text, form === 'NFKC' || form === 'NFKD' ? compatible : canonical);
  reorder(codes);
  return textOf(form === 'NFC' || form === 'NFKC' ? composed(codes) : codes);
}

function decomposed(text: string, decompositions: Decompositions): number[] {
  const codes: number[] = [];
  for (let at = 0; at < text.length; ) {
    const code = text.codePointAt(at)!;
    at += code > 0xffff ? 2 : 1;
    const syllable = code - SYLLABLE;
    if (syllable >= 0 && syllable < SYLLABLES) {
      codes.push(LEADING + Math.floor(syllable / (VOWELS * TRAILINGS)), VOWEL + (Math.floor(syllable / TRAILINGS) % VOWELS));
      if (syllable % TRAILINGS) codes.push(TRAILING + (syllable % TRAILINGS));
      continue;
    }
    const parts = decompositions.get(code);
    if (parts) codes.push(...parts);
    else codes.push(code);
  }
  return codes;
}

const classOf = (code: number): number => (code < KNOWN ? tables().classes[code]! : 0);

/** Marks between two starters by their classes; those of one class stay in order. */
function reorder(codes: number[]): void {
  for (let from = 0; from < codes.length; from++) {
    if (!classOf(codes[from]!)) continue;
    let to = from + 1;
    while (to < codes.length && classOf(codes[to]!)) to++;
    if (to > from + 1) codes.slice(from, to).sort((a, b) => classOf(a) - classOf(b)).forEach((code, i) => (codes[from + i] = code));
    from = to;
  }
}

/** Every mark joins the last starter, unless one between them keeps it off. */
function composed(codes: readonly number[]): number[] {
  const out: number[] = [];
  let [starter, last] = [-1, 0];
  for (const code of codes) {
    const own = classOf(code);
    const free = starter >= 0 && (starter === out.length - 1 || (last !== 0 && last < own));
    const made = free ? pairOf(out[starter]!, code) : undefined;
    if (made !== undefined) {
      out[starter] = made;
      continue;
    }
    out.push(code);
    if (!own) starter = out.length - 1;
    last = own;
  }
  return out;
}

function pairOf(first: number, second: number): number | undefined {
  const [leading, vowel] = [first - LEADING, second - VOWEL];
  if (leading >= 0 && leading < LEADINGS && vowel >= 0 && vowel < VOWELS) return SYLLABLE + (leading * VOWELS + vowel) * TRAILINGS;
  const [syllable, trailing] = [first - SYLLABLE, second - TRAILING];
  if (syllable >= 0 && syllable < SYLLABLES && syllable % TRAILINGS === 0 && trailing > 0 && trailing < TRAILINGS) return first + trailing;
  return tables().pairs.get(keyOf(first, second));
}

const FEW = 1 << 12;

/** String.fromCodePoint takes so many at once as the stack holds. */
function textOf(codes: readonly number[]): string {
  if (codes.length <= FEW) return String.fromCodePoint(...codes);
  let text = '';
  for (let at = 0; at < codes.length; at += FEW) text += String.fromCodePoint(...codes.slice(at, at + FEW));
  return text;
}

/** Decomposed, and without nonspacing marks: BERT's. `nonspacing`: by which table. */
export const stripAccents = (text: string, nonspacing = 'rustnonspacing'): string => without(normalize(text, 'NFD'), isIn(nonspacing));

export interface BertOptions {
  stripAccents: boolean;
  lowercase: boolean;
}

/** BERT's normalizer for vocabularies in GGUF: by the tables of 16.0, and what those do not know goes out. */
export function bertText(text: string, { stripAccents: strip, lowercase }: BertOptions): string {
  const spaced = spaceChinese(cleanText(text, ['Cc', 'Cf', 'Co', 'Cn']));
  const stripped = strip ? stripAccents(spaced, 'Mn') : spaced;
  return lowercase ? toLower(stripped) : stripped;
}
