import { StonechatError } from '../errors.js';
import type { Json } from './json.js';
import { forms } from './forms.js';
import { BERT_PUNCTUATION, local, SPACES, type Normaliser } from './normalise.js';
import type { Form } from './normal-forms.js';
import { familySplitter, isKnownPattern, knownScanner } from './patterns.js';
import { compilePattern, literalPattern, type Pattern } from './regex.js';
import type { TokenizerSpec } from './spec.js';
import { cut, type Behaviour, type Splitter, type Step } from './split.js';

const MARK = '\u2581';

/** What the normalisers and pre-tokenizers of a tokenizer.json say together. */
export interface Pipeline {
  normalise: Normaliser[];
  prefix: TokenizerSpec['prefix'];
  steps: Step[];
  /** The patterns of the steps, while every step is one that cuts at a pattern. */
  patterns: string[] | undefined;
  byteLevel: boolean;
  /** U+2581 stands for a space. */
  marked: boolean;
  /** … from before the first step on. */
  markedEarly: boolean;
  /** Bytes are letters before the last step. */
  lettersEarly: boolean;
  /** What the other fields do not say, by its name in the file: such a file is carried out by rules/. */
  beyond: string[];
  /** What `normalise` does, by the names in the file. */
  names: string[];
}

export const emptyPipeline = (): Pipeline => ({
  normalise: [], prefix: { when: 'never' }, steps: [], patterns: [], byteLevel: false, marked: false, markedEarly: false, lettersEarly: false, beyond: [], names: [],
});

/** The splitter of all steps; `unsplit` where there are none. */
export function splitterOf({ steps, patterns, markedEarly: marked }: Pipeline, unsplit: Splitter): Splitter {
  if (!steps.length) return unsplit;
  const scanner = patterns && knownScanner(patterns);
  return scanner ? { steps, scanner } : { steps, marked };
}

/** Normalizers that no field has a place for are named only: such a file is carried out by rules/. */
export function readNormalizer(json: Json, pipe: Pipeline): void {
  if (!json.exists) return;
  const type = json.get('type').text();
  if (type === 'Sequence') json.get('normalizers').list().forEach((inner) => readNormalizer(inner, pipe));
  else if (isForm(type)) {
    pipe.normalise.push(local((text) => forms().normalize(text, type), (_, next) => forms().isBoundary(type)(next)));
    pipe.names.push(`normalizer ${type}`);
  } else if (RULED.has(type)) pipe.names.push(`normalizer ${type}`);
  else if (type === 'Prepend') readPrepend(json.get('prepend').text(), pipe);
  else if (type === 'Replace') readReplace(json, pipe);
  else if (type === 'ByteLevel') pipe.byteLevel = pipe.lettersEarly = true;
  else pipe.beyond.push(`normalizer ${type}`);
}

const isForm = (type: string): type is Form => /^NFK?[CD]$/.test(type);
const RULED: ReadonlySet<string> = new Set(['Lowercase', 'StripAccents', 'Nmt', 'Strip', 'Precompiled', 'BertNormalizer']);

/** Does a normalizer ask for the tables of normal forms? */
export function asksForForms(json: Json): boolean {
  if (!json.exists) return false;
  const type = json.get('type').text('');
  return isForm(type) || type === 'BertNormalizer' || type === 'Bert' || (type === 'Sequence' && json.get('normalizers').list().some(asksForForms));
}

function readPrepend(prepend: string, pipe: Pipeline): void {
  if (prepend === MARK || prepend === ' ') pipe.prefix = { when: 'always' };
  else pipe.beyond.push(`normalizer Prepend ${JSON.stringify(prepend)}`);
}

function readReplace(json: Json, pipe: Pipeline): void {
  const { pattern, content } = { pattern: json.get('pattern'), content: json.get('content').text() };
  if (pattern.get('String').text('') === ' ' && content === MARK) pipe.marked = pipe.markedEarly = true;
  else pipe.beyond.push(`normalizer Replace ${pattern.get('Regex').text(pattern.get('String').text(''))}`);
}

function readPattern(json: Json): Pattern {
  const regex = json.get('Regex');
  if (regex.exists) return compilePattern(regex.text(), 'oniguruma', isKnownPattern(regex.text()));
  return literalPattern(json.get('String').text());
}

const BEHAVIOURS: Record<string, Behaviour> = {
  Removed: 'removed', Isolated: 'isolated', MergedWithPrevious: 'mergedWithPrevious', MergedWithNext: 'mergedWithNext', Contiguous: 'contiguous',
};

/** `merged`: for a BPE. Pre-tokenizers that are no steps go to `beyond`. */
export function readPreTokenizer(json: Json, pipe: Pipeline, merged: boolean): void {
  if (!json.exists) return;
  const type = json.get('type').text();
  if (pipe.byteLevel && type !== 'Sequence') pipe.lettersEarly = true;
  const add = (step: Step, pattern?: string) => {
    pipe.steps.push(step);
    pipe.patterns = pattern === undefined ? undefined : pipe.patterns && [...pipe.patterns, pattern];
  };
  if (type === 'Sequence') json.get('pretokenizers').list().forEach((inner) => readPreTokenizer(inner, pipe, merged));
  else if (type === 'ByteLevel') readByteLevel(json, pipe, add);
  else if (type === 'Split') readSplit(json, pipe, add);
  else if (type === 'Metaspace') readMetaspace(json, pipe, merged, add);
  else if (type === 'Digits') readDigits(json, add);
  else if (type === 'Punctuation') add(cut(compilePattern(BERT_PUNCTUATION), behaviour(json.get('behavior'), 'Isolated')));
  else if (type === 'Whitespace') add(cut(compilePattern('\\w+|[^\\w\\s]+'), 'removed', true));
  else if (type === 'WhitespaceSplit') add(cut(compilePattern(SPACES), 'removed'));
  else if (type === 'BertPreTokenizer') [cut(compilePattern(SPACES), 'removed'), cut(compilePattern(BERT_PUNCTUATION))].forEach((step) => add(step));
  else if (type === 'CharDelimiterSplit') add(cut(literalPattern(json.get('delimiter').text()), 'removed'));
  else pipe.beyond.push(`pre-tokenizer ${type}`);
}

type Add = (step: Step, pattern?: string) => void;

function readDigits(json: Json, add: Add): void {
  if (json.get('individual_digits').flag(false)) add(cut(compilePattern('\\p{N}')), '\\p{N}');
  else add(cut(compilePattern('\\p{N}+')));
}

function behaviour(json: Json, otherwise: string): Behaviour {
  const name = json.text(otherwise);
  const found = Object.hasOwn(BEHAVIOURS, name) ? BEHAVIOURS[name] : undefined;
  if (!found) throw json.unsupported(Object.keys(BEHAVIOURS).join(', '));
  return found;
}

function readByteLevel(json: Json, pipe: Pipeline, add: Add): void {
  pipe.byteLevel = true;
  if (json.get('add_prefix_space').flag(true)) {
    if (!pipe.steps.length) pipe.prefix = { when: 'always', unlessSpace: true };
    else add((piece) => [piece.startsWith(' ') ? piece : ` ${piece}`]);
  }
  if (!json.get('use_regex').flag(true)) return;
  const [step] = familySplitter('gpt2').steps;
  add(step!, GPT2_SOURCE);
}
const GPT2_SOURCE = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** A pattern that covers the text does the same whether its matches are isolated or what lies between them is removed. */
function readSplit(json: Json, pipe: Pipeline, add: Add): void {
  // Gemma splits at spaces after its normaliser has replaced them all: it never does.
  if (pipe.markedEarly && json.get('pattern').get('String').text('') === ' ') return;
  const how = behaviour(json.get('behavior'), 'Isolated');
  const invert = json.get('invert').flag(false);
  const source = json.get('pattern').get('Regex');
  const covers = (how === 'isolated' && !invert) || (how === 'removed' && invert);
  add(cut(readPattern(json.get('pattern')), how, invert), covers && source.exists ? source.text() : undefined);
}

function readMetaspace(json: Json, pipe: Pipeline, merged: boolean, add: Add): void {
  const scheme = json.get('prepend_scheme').text(json.get('add_prefix_space').flag(true) ? 'always' : 'never');
  if (scheme !== 'always' && scheme !== 'first' && scheme !== 'never') throw json.get('prepend_scheme').wrong('always, first or never');
  const split = json.get('split').flag(true);
  if (json.get('replacement').text(MARK) !== MARK) pipe.beyond.push('pre-tokenizer Metaspace with another mark');
  else if (merged && !pipe.steps.length) {
    pipe.marked = pipe.markedEarly = true;
    pipe.prefix = { when: scheme, unlessSpace: true };
  } else {
    if (merged) pipe.marked = true;
    add((piece, first) => {
      const text = piece.replaceAll(' ', MARK);
      const wanted = scheme === 'always' || (scheme === 'first' && first);
      return [wanted && text && !text.startsWith(MARK) ? MARK + text : text];
    });
  }
  if (split) add(cut(literalPattern(MARK), 'mergedWithNext'));
}

/** What the decoders say: the rest follows from the tokens. */
export function readDecoder(json: Json): { byteLevel: boolean; dropLeadingSpace: boolean } {
  const found = { byteLevel: false, dropLeadingSpace: false };
  if (!json.exists) return found;
  const type = json.get('type').text();
  if (type === 'ByteLevel') found.byteLevel = true;
  else if (type === 'Metaspace') found.dropLeadingSpace = json.get('prepend_scheme').text(json.get('add_prefix_space').flag(true) ? 'always' : 'never') !== 'never';
  else if (type === 'Strip') found.dropLeadingSpace = json.get('content').text(' ') === ' ' && json.get('start').number(0) > 0;
  else if (type === 'WordPiece') found.dropLeadingSpace = true;
  for (const inner of json.get('decoders').list()) {
    const { byteLevel, dropLeadingSpace } = readDecoder(inner);
    found.byteLevel ||= byteLevel;
    found.dropLeadingSpace ||= dropLeadingSpace;
  }
  return found;
}

export function fromBase64(json: Json): Uint8Array {
  try {
    return Uint8Array.from(atob(json.text('')), (char) => char.charCodeAt(0));
  } catch (cause) {
    if (cause instanceof StonechatError) throw cause;
    throw json.wrong('base64');
  }
}
