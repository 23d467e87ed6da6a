import type { StringList } from '../files/strings.js';
import { escapeLiteral } from './regex.js';
import type { AddedToken } from './spec.js';

/** A stretch of text, or the id of a token found in it. */
export type Fragment = string | number;

const WORD_BEFORE = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u;
const WORD_AFTER = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;
const SPACES_BEFORE = /\p{White_Space}+$/u;
const SPACES_AFTER = /^\p{White_Space}+/u;

/** Finds tokens in text: the leftmost first, of those that start together the longest. */
export class TokenFinder {
  private readonly pattern: RegExp | undefined;
  private readonly byContent: Map<string, AddedToken>;

  constructor(tokens: readonly AddedToken[]) {
    this.byContent = new Map(tokens.filter(({ content }) => content).map((token) => [token.content, token]));
    const longestFirst = [...this.byContent.keys()].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
    if (longestFirst.length) this.pattern = new RegExp(longestFirst.map(escapeLiteral).join('|'), 'gu');
  }

  find(text: string): Fragment[] {
    if (!this.pattern || !text) return text ? [text] : [];
    const out: Fragment[] = [];
    let done = 0;
    this.pattern.lastIndex = 0;
    for (let found = this.pattern.exec(text); found; found = this.pattern.exec(text)) {
      const token = this.byContent.get(found[0])!;
      const end = found.index + found[0].length;
      if (token.singleWord && adjoinsWord(text, found.index, end)) continue;
      let before = text.slice(done, found.index);
      if (token.lstrip) before = before.replace(SPACES_BEFORE, '');
      if (before) out.push(before);
      out.push(token.id);
      done = token.rstrip ? end + (SPACES_AFTER.exec(text.slice(end))?.[0].length ?? 0) : end;
      this.pattern.lastIndex = done;
    }
    if (done < text.length) out.push(text.slice(done));
    return out;
  }
}

const adjoinsWord = (text: string, start: number, end: number) =>
  WORD_BEFORE.test(text.slice(Math.max(0, start - 2), start)) || WORD_AFTER.test(text.slice(end, end + 2));

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
