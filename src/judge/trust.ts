import { checkRules, whole } from '../generate/rules.js';
import type { Token } from '../generate/types.js';
import { checkTokens } from './check.js';

/** How sure the model was of one token. */
export interface TrustToken {
  readonly id: number;
  readonly text: string;
  readonly probability: number;
  /** Of the whole distribution, in nats. */
  readonly entropy: number;
  /** Probability of the most likely token minus that of the second. */
  readonly margin: number;
  /** One of the least certain spans, counted from 1 (the least certain); 0: none. */
  readonly span: number;
}

/** Tokens first … end - 1, with the mean surprise (nats) that put them on the list. */
export interface UncertainSpan {
  readonly first: number;
  readonly end: number;
  readonly text: string;
  readonly surprise: number;
}

/** How far a text can be trusted, token by token. */
export interface Trust {
  readonly tokens: readonly TrustToken[];
  /** Geometric mean of the tokens' probabilities: 1 / perplexity. */
  readonly meanProbability: number;
  readonly meanEntropy: number;
  /** Least certain first. */
  readonly spans: readonly UncertainSpan[];
}

/** What begins a word: a space, an opening bracket or quote, a character of a script that writes none between words. */
const BEGINS = /^[\s\p{Ps}\p{Pi}"\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;

/**
 * Words are the unit: one begins where a token begins so, or the one before ended with a space (some vocabularies keep it
 * there). A space alone belongs to what follows: the first byte of a character may stand with it.
 */
function wordsOf(tokens: readonly Token[]): { first: number; end: number }[] {
  const starts = [0];
  let before = tokens[0]?.text ?? '';
  // Tokens inside a character have no text: they begin what the character begins.
  for (let i = 1, open = 1; i < tokens.length; i++) {
    const { text } = tokens[i]!;
    if (text === '') continue;
    const blank = before.trim() === '' && before !== '';
    if (blank ? /^\s/u.test(text) : /\s$/u.test(before) || BEGINS.test(text)) starts.push(open);
    before = text;
    open = i + 1;
  }
  return tokens.length ? starts.map((first, i) => ({ first, end: starts[i + 1] ?? tokens.length })) : [];
}

/**
 * Where to trust a text least: words by their surprise, -log p summed over the word's tokens; neighbours among the `most` worst
 * are joined to one span. Give it tokens with `top: 2` or more.
 */
export function trust(tokens: readonly Token[], options: { spans?: number } = {}): Trust {
  checkTokens(tokens);
  checkRules('trust()', options, { spans: whole(0, Number.MAX_SAFE_INTEGER, 3) });
  const { spans: most = 3 } = options;
  const surprise = ({ first, end }: { first: number; end: number }) => tokens.slice(first, end).reduce((sum, { logprob }) => sum - logprob, 0);
  const readable = wordsOf(tokens).filter(({ first, end }) => tokens.slice(first, end).some(({ text }) => /[\p{L}\p{N}]/u.test(text)));
  const worst = readable.map(({ first, end }) => ({ first, end, surprise: surprise({ first, end }) })).sort((a, b) => b.surprise - a.surprise).slice(0, most);
  const spans = join(worst.sort((a, b) => a.first - b.first)).map(({ first, end, surprise: value }) => ({
    first, end, surprise: value, text: tokens.slice(first, end).map(({ text }) => text).join('').trim(),
  }));
  spans.sort((a, b) => b.surprise - a.surprise);
  const mean = (of: (token: Token) => number) => (tokens.length ? tokens.reduce((sum, token) => sum + of(token), 0) / tokens.length : 0);
  return {
    tokens: tokens.map((token, i) => describe(token, 1 + spans.findIndex(({ first, end }) => i >= first && i < end))),
    meanProbability: Math.exp(mean(({ logprob }) => logprob)),
    meanEntropy: mean(({ entropy }) => entropy),
    spans,
  };
}

interface Span {
  first: number;
  end: number;
  surprise: number;
}

/** Spans in order; those that touch become one, as surprising as its most surprising word. */
function join(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of spans) {
    const last = joined.at(-1);
    if (last?.end === span.first) joined[joined.length - 1] = { first: last.first, end: span.end, surprise: Math.max(last.surprise, span.surprise) };
    else joined.push(span);
  }
  return joined;
}

function describe({ id, text, logprob, entropy, top }: Token, span: number): TrustToken {
  const [first, second] = top.map((other) => Math.exp(other.logprob));
  return { id, text, probability: Math.exp(logprob), entropy, margin: (first ?? 0) - (second ?? 0), span };
}
