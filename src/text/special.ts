import type { StringList } from '../files/strings.js';
import { escapeLiteral, patterns } from './regex.js';
import type { AddedToken } from './spec.js';
import { atOnce, CHUNK, type Turns } from './turns.js';

/** A stretch of text, or the id of a token found in it. */
export type Fragment = string | number;

const isSpace = (unit: number): boolean =>
  unit === 0x20 || (unit >= 9 && unit <= 13) || (unit > 0x7f && (unit === 0x85 || unit === 0xa0 || unit === 0x1680 || (unit >= 0x2000 && unit <= 0x200a) || OTHER_SPACES.has(unit)));
const OTHER_SPACES: ReadonlySet<number> = new Set([0x2028, 0x2029, 0x202f, 0x205f, 0x3000]);

/** Where the white space (of Unicode) that ends at `to` begins, not before `from`. */
export function spacesStart(text: string, to: number, from = 0): number {
  let at = to;
  while (at > from && isSpace(text.charCodeAt(at - 1))) at--;
  return at;
}

/** Where the white space that begins at `from` ends. */
export function spacesEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** While a text is encoded of which parts stand for themselves: the text, and a 1 for each unit that does. */
let marked: { readonly text: string; readonly marks: string } | undefined;

export function withMarks<T>(text: string, marks: string, run: () => T): T {
  marked = { text, marks };
  try {
    return run();
  } finally {
    marked = undefined;
  }
}

/** Does what stands for itself get encoded now? */
export const isMarked = (): boolean => marked !== undefined;

/** Is it spelt by what stands for itself? In a normalised text places are not known: then it is once it is anywhere. */
function isSpelt({ content }: AddedToken, text: string, from: number): boolean {
  if (text === marked!.text) return marked!.marks.includes('1') && marked!.marks.slice(from, from + content.length).includes('1');
  const { text: whole, marks } = marked!;
  for (let at = whole.indexOf(content); at >= 0; at = whole.indexOf(content, at + 1)) {
    if (marks.slice(at, at + content.length).includes('1')) return true;
  }
  return false;
}

type Place = { from: number; to: number; id?: number };

/** Finds tokens in text as Hugging Face's tokenizers do: the leftmost first, of those that start together the longest. */
export class TokenFinder {
  private readonly pattern: RegExp | undefined;
  private readonly byContent: Map<string, AddedToken>;
  private readonly longest: number;

  constructor(tokens: readonly AddedToken[]) {
    this.byContent = new Map(tokens.filter(({ content }) => content).map((token) => [token.content, token]));
    const longestFirst = [...this.byContent.keys()].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
    this.longest = longestFirst[0]?.length ?? 0;
    if (longestFirst.length) this.pattern = new RegExp(longestFirst.map(escapeLiteral).join('|'), 'gu');
  }

  /** All of the text: tokens, and what lies between them. */
  *find(text: string): Turns<Fragment[]> {
    if (!this.pattern || !text) return text ? [text] : [];
    return (yield* this.locateInTurns(text)).map(({ from, to, id }) => id ?? text.slice(from, to));
  }

  /** The same as places. A token may begin before the one in front of it ends, in white space that this one took; none is left of one that is white space. */
  locate(text: string): Place[] {
    return atOnce(this.locateInTurns(text));
  }

  *locateInTurns(text: string): Turns<Place[]> {
    if (!this.pattern || !text) return text ? [{ from: 0, to: text.length }] : [];
    const out: Place[] = [];
    let [done, next] = [0, 0];
    for (;;) {
      const found = yield* this.search(text, next);
      if (!found) break;
      const { at } = found;
      const token = this.allowed(text, at, this.byContent.get(found.content)!);
      if (!token) {
        next = at + 1;
        continue;
      }
      const end = at + token.content.length;
      next = end;
      if (token.singleWord && adjoinsWord(text, at, end)) continue;
      const from = token.lstrip ? Math.max(done, spacesStart(text, at, done)) : at;
      if (from > done) out.push({ from: done, to: from });
      done = token.rstrip ? spacesEnd(text, end) : end;
      if (from < done) out.push({ from, to: done, id: token.id });
    }
    if (done < text.length) out.push({ from: done, to: text.length });
    return out;
  }

  /** The next token from a place on, window by window: each holds the longest that may begin in its first part. */
  private *search(text: string, from: number): Turns<{ at: number; content: string } | undefined> {
    const pattern = this.pattern!;
    for (let start = from; start < text.length; start += CHUNK) {
      const whole = start === 0 && text.length <= CHUNK;
      pattern.lastIndex = 0;
      const found = pattern.exec(whole ? text : text.slice(start, start + CHUNK + this.longest));
      if (found && found.index < CHUNK) return { at: start + found.index, content: found[0] };
      yield start;
    }
    return undefined;
  }

  /** The token found, or where that is only spelt the longest other that begins there. */
  private allowed(text: string, from: number, token: AddedToken): AddedToken | undefined {
    const spelt = (one: AddedToken) => one.special && isSpelt(one, text, from);
    if (!marked || !spelt(token)) return token;
    const others = [...this.byContent.values()].filter((one) => text.startsWith(one.content, from) && !spelt(one));
    return others.sort((a, b) => b.content.length - a.content.length)[0];
  }
}

/** What Rust's tokenizers take for a word character: what single_word looks at. Only tokenizer.json says it, and that comes with patterns. */
function adjoinsWord(text: string, start: number, end: number): boolean {
  const isWord = patterns().isIn('wordperl');
  const left = text.codePointAt(start - 2)! > 0xffff ? start - 2 : start - 1;
  return (start > 0 && isWord(text.codePointAt(left)!)) || (end < text.length && isWord(text.codePointAt(end)!));
}

/** Names under which vocabularies keep a token that ends a turn or a text (llama.cpp, llama-vocab.cpp, end-of-generation list). */
export const STOP_NAMES: ReadonlySet<string> = new Set([
  '<|eot_id|>', '<|im_end|>', '<|end|>', '<|return|>', '<|call|>', '<|flush|>', '<|calls|>', '<end_of_turn>', '<|endoftext|>', '</s>',
  '<|eom_id|>', '<EOT>', '_<EOT>', '[EOT]', '[EOS]', '<|end_of_text|>', '<end_of_utterance>', '<eos>', '<turn|>', '<|tool_response>',
  '<｜end▁of▁sentence｜>', '[e~[', '<|eos|>', '<|end_of_turn|>',
]);

/** Ids of tokens that begin as those do, with `<`, `_<` or `[`, and byte tokens among them: found by the engine's own search, since they are few. */
export function* mayBeNamed(tokens: StringList): Iterable<number> {
  const { block } = tokens;
  for (const letter of [0x3c, 0x5b]) {
    for (let place = block.indexOf(letter); place >= 0; place = block.indexOf(letter, place + 1)) {
      const start = block[place - 1] === 0x5f ? place - 1 : place;
      const id = block[start - 1] === 0 ? tokens.indexAt(start) : -1; // behind the last byte of a length
      if (id >= 0) yield id;
    }
  }
}
export const isStopName = (token: string): boolean => STOP_NAMES.has(token);

/** Ids with a usual end name among the special tokens. Of gpt-oss and Solar, `<|end|>` only ends a message. */
export function namedStops(added: readonly AddedToken[]): number[] {
  const found = new Map(added.filter(({ content, special }) => special && isStopName(content)).map(({ content, id }) => [content, id]));
  const has = (name: string) => found.has(name);
  if ((has('<|return|>') && has('<|call|>')) || (has('<|flush|>') && has('<|calls|>'))) found.delete('<|end|>');
  if (has('<|tool_response>')) found.delete('</s>');
  return [...found.values()];
}
