import { LETTER_BYTES, BYTE_LETTERS } from './alphabet.js';
import type { Json } from './json.js';
import type { Pipeline } from './pipeline.js';
import type { AddedToken } from './spec.js';
import type { Splitter } from './split.js';

const MARK = '\u2581';

/** What decides how exactly a tokenizer.json can be carried out. */
export interface Facts {
  json: Json;
  pipe: Pipeline;
  split: Splitter;
  added: readonly AddedToken[];
  idOf(token: string): number | undefined;
}

/** Do the kernels merge its words as it says? Then nothing is unknown to them, and no special token can come out of running text. */
export function mergesInKernels({ json, pipe, added, idOf }: Facts): boolean {
  const model = json.get('model');
  if (model.get('continuing_subword_prefix').text('') || model.get('end_of_word_suffix').text('')) return false;
  if (pipe.byteLevel ? pipe.lettersEarly || !hasLetters(idOf) : !(model.get('byte_fallback').flag(false) && hasBytes(idOf))) return false;
  return added.every(({ content, special }) => !special || idOf(content) === undefined || !isFormable(content, idOf));
}

/** All bytes that text can have: C0, C1 and F5 on are in no UTF-8. */
const hasLetters = (idOf: Facts['idOf']): boolean => BYTE_LETTERS.every((letter, byte) => byte === 0xc0 || byte === 0xc1 || byte > 0xf4 || idOf(String.fromCharCode(letter)) !== undefined);
const hasBytes = (idOf: Facts['idOf']): boolean =>
  Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`).every((token) => idOf(token) !== undefined);

/** A merge could make it: it is one character, or two tokens. */
function isFormable(content: string, idOf: Facts['idOf']): boolean {
  const chars = [...content];
  return chars.length === 1 || chars.some((_, i) => i > 0 && idOf(chars.slice(0, i).join('')) !== undefined && idOf(chars.slice(i).join('')) !== undefined);
}

/** Does what a TokenizerSpec says by itself give all that the file says? Otherwise rules/ carries the file out. */
export function isPlain(facts: Facts): boolean {
  const { json, pipe, split, added } = facts;
  if (pipe.beyond.length || !mergesInKernels(facts)) return false;
  const normalizers = flatten(json.get('normalizer'), 'normalizers');
  const decoders = flatten(json.get('decoder'), 'decoders');
  const pre = flatten(json.get('pre_tokenizer'), 'pretokenizers');
  if (!pipe.byteLevel) return plainMarks(normalizers, pre, decoders, added);
  const composed = normalizers.every((one) => /^NFK?[CD]$/.test(one.get('type').text()));
  const stable = added.every(({ content, normalized }) => !normalized || pipe.normalise.reduce((done, step) => step(done), content) === content);
  return composed && stable && split.scanner !== undefined && decoders.length === 1 && decoders[0]!.get('type').text() === 'ByteLevel' && !added.some(isLettered);
}

function flatten(json: Json, key: string): Json[] {
  if (!json.exists) return [];
  return json.get('type').text() === 'Sequence' ? json.get(key).list().flatMap((one) => flatten(one, key)) : [json];
}

/** A content whose letters would be read as other bytes. */
const isLettered = ({ content }: AddedToken): boolean => /[^\0-\x7f]/.test(content) && Array.from({ length: content.length }, (_, i) => LETTER_BYTES[content.charCodeAt(i)] ?? 0xffff).every((byte) => byte !== 0xffff);

const isReplace = (json: Json, from: string, to: string): boolean =>
  json.get('type').text() === 'Replace' && json.get('pattern').get('String').text('') === from && json.get('content').text() === to;

/** Llama's and Gemma's way: spaces are U+2581 from the normalizer on, or by Metaspace where there is no normalizer. */
function plainMarks(normalizers: readonly Json[], pre: readonly Json[], decoders: readonly Json[], added: readonly AddedToken[]): boolean {
  const types = (list: readonly Json[]) => list.map((one) => one.get('type').text()).join(' ');
  const usual = (types(decoders) === 'Replace ByteFallback Fuse' || (types(decoders) === 'Replace ByteFallback Fuse Strip' && isUsualStrip(decoders[3]!))) && isReplace(decoders[0]!, MARK, ' ');
  if (!usual || added.some(({ content, normalized }) => content.includes(MARK) || /^<0x[0-9A-Fa-f]{2}>$/.test(content) || (normalized && normalizers.length > 0))) return false;
  if (!normalizers.length) return types(pre) === 'Metaspace' && !pre[0]!.get('split').flag(true) && pre[0]!.get('replacement').text() === MARK;
  const splitsNothing = !pre.length || (types(pre) === 'Split' && pre[0]!.get('pattern').get('String').text('') === ' ' && !pre[0]!.get('invert').flag(false));
  const prepends = types(normalizers) === 'Prepend Replace' && normalizers[0]!.get('prepend').text() === MARK;
  return splitsNothing && (prepends || types(normalizers) === 'Replace') && isReplace(normalizers.at(-1)!, ' ', MARK);
}

const isUsualStrip = (json: Json): boolean => json.get('content').text() === ' ' && json.get('start').number(0) === 1 && json.get('stop').number(0) === 0;
