import { badOption, show } from '../../files/refuse.js';
import { BYTE_LETTERS } from '../../text/alphabet.js';
import { huggingFaceFiles, scannerOf, SPLIT_PATTERNS, type ByteLevelVocabulary, type SplitPattern } from '../../text/byte-level.js';
import { tokenizerFromFile, type KernelSource, type Tokenizer } from '../../text/index.js';
import { TokenFinder } from '../../text/special.js';
import { atOnce } from '../../text/turns.js';
import { PairLearner, type LearnerSource } from './pair-learner.js';

/** Options of `learnTokenizer`. */
export interface LearnBpeOptions {
  /** Tokens in all: special tokens, 256 bytes, merges. */
  vocabularySize: number;
  /** They get the first ids, and text is cut where they stand in it. Default `['<|endoftext|>']`. */
  specialTokens?: readonly string[];
  /** The special token in front of a text, and the one that ends it. Default: the first and the last of them. */
  bos?: string;
  eos?: string;
  /** Encoding puts BOS in front. Default true, where there is one. */
  addBos?: boolean;
  /** How text becomes words before pairs are counted: 'gpt2' (default), 'digitsGpt2', 'llama3', 'qwen2', 'o200k'. */
  pattern?: SplitPattern;
  /** Pairs seen less often are not merged. Default 2. */
  leastCount?: number;
}

/** A vocabulary of byte-level BPE, and how it was learnt. */
export interface LearnedBpe {
  readonly vocabulary: ByteLevelVocabulary;
  readonly tokenizer: Tokenizer;
  /** Words of the text, and how many different ones. */
  readonly words: number;
  readonly distinctWords: number;
  /** How often the pair of each merge was seen when it was merged. */
  readonly counts: readonly number[];
  /** Why the vocabulary is smaller than asked for, where it is. */
  readonly shortfall: string | undefined;
}

/** Texts are counted each by itself: no word spans two of them. */
export type Texts = string | Iterable<string> | AsyncIterable<string>;

const BYTES = 256;
const MOST_TOKENS = 1 << 22;

/**
 * Learns a byte-level BPE vocabulary: the most frequent pair of neighbouring tokens within words becomes a token, until
 * there are enough. Of pairs equally frequent the one with the greater bytes wins (its left token first, then its right one),
 * as in the reference of Stanford's CS336, assignment 1. Memory grows with the different words, not with the text.
 * @throws StonechatError `bad-option` for options that contradict each other or a text without words, `out-of-memory`.
 */
export async function learnBpe(texts: Texts, options: LearnBpeOptions, kernels: KernelSource & LearnerSource): Promise<LearnedBpe> {
  const { vocabularySize, specialTokens, roles, pattern, leastCount } = check(options);
  const learner = new PairLearner(kernels, scannerOf(pattern));
  const finder = new TokenFinder(specialTokens.map((content, id) => ({ id, content, special: true, lstrip: false, rstrip: false, singleWord: false, normalized: false })));
  const isIterable = Symbol.iterator in Object(texts) || Symbol.asyncIterator in Object(texts);
  if (!isIterable) throw badOption('a text, or texts one by one', show(texts), 'Decode files to text first.');
  for await (const text of typeof texts === 'string' ? [texts] : texts) countWords(learner, finder, text);
  if (!learner.distinctWords) throw badOption('text to learn from', 'none', 'Pass the text of the corpus, or check the file that it was read from.');
  const { merges, counts, formed } = mergePairs(learner, vocabularySize - specialTokens.length, leastCount);
  const vocabulary: ByteLevelVocabulary = { specialTokens, merges, pattern, ...roles };
  return {
    vocabulary, counts,
    tokenizer: await openByteLevel(vocabulary, kernels),
    words: learner.totalWords,
    distinctWords: learner.distinctWords,
    shortfall: formed + specialTokens.length < vocabularySize ? shortfall(vocabularySize, formed + specialTokens.length, leastCount) : undefined,
  };
}

const shortfall = (wanted: number, found: number, leastCount: number) =>
  `The text gives ${found} of ${wanted} tokens: no pair is left that occurs ${leastCount > 1 ? `${leastCount} times` : 'in it'}. Give more text, or ask for fewer tokens.`;

/** A tokenizer of the vocabulary: what its files, read again, give. */
export function openByteLevel(vocabulary: ByteLevelVocabulary, kernels: KernelSource): Promise<Tokenizer> {
  const utf8 = new TextEncoder();
  const files: Record<string, string> = huggingFaceFiles(vocabulary);
  return tokenizerFromFile('tokenizer.json', utf8.encode(files['tokenizer.json']), kernels, async (name) => (files[name] === undefined ? undefined : utf8.encode(files[name])));
}

function countWords(learner: PairLearner, finder: TokenFinder, text: string): void {
  if (typeof text !== 'string') throw badOption('texts as strings', typeof text, 'Decode files to text first.');
  for (const part of atOnce(finder.find(text))) if (typeof part === 'string') learner.count(part);
}

/** Up to `wanted` tokens, bytes included. A pair may form a token that another pair has formed before. */
function mergePairs(learner: PairLearner, wanted: number, leastCount: number): { merges: [string, string][]; counts: number[]; formed: number } {
  const tokens = BYTE_LETTERS.map((letter) => String.fromCharCode(letter));
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges = new Map<string, [string, string]>();
  const counts: number[] = [];
  learner.begin(wanted);
  while (tokens.length < wanted) {
    const best = learner.best();
    if (!best || best.count < leastCount) break;
    const pair: [string, string] = [tokens[best.left]!, tokens[best.right]!];
    const [token, key] = [pair.join(''), pair.join(' ')];
    learner.merge(ids.get(token) ?? tokens.length);
    if (!ids.has(token)) ids.set(token, tokens.push(token) - 1);
    if (merges.has(key)) continue;
    merges.set(key, pair);
    counts.push(best.count);
  }
  return { merges: [...merges.values()], counts, formed: tokens.length };
}

function check({ vocabularySize, specialTokens = ['<|endoftext|>'], bos, eos, addBos, pattern = 'gpt2', leastCount = 2 }: LearnBpeOptions) {
  if (!SPLIT_PATTERNS.includes(pattern)) throw badOption(`a pattern of ${SPLIT_PATTERNS.join(', ')}`, show(pattern));
  if (!Array.isArray(specialTokens) || specialTokens.some((token) => typeof token !== 'string' || !token) || new Set(specialTokens).size < specialTokens.length) {
    throw badOption('special tokens as different texts, none empty', show(specialTokens));
  }
  checkNames(specialTokens);
  const least = BYTES + specialTokens.length;
  if (!Number.isInteger(vocabularySize) || vocabularySize < least || vocabularySize > MOST_TOKENS) {
    throw badOption(`a vocabulary of ${least} (${BYTES} bytes and ${specialTokens.length} special tokens) to ${MOST_TOKENS} tokens`, show(vocabularySize), 'Ask for more tokens: a few thousand for a few megabytes of text.');
  }
  if (!Number.isInteger(leastCount) || leastCount < 1) throw badOption('leastCount as a whole number from 1', show(leastCount));
  const roles = { bos: bos ?? specialTokens[0], eos: eos ?? specialTokens.at(-1), addBos: addBos ?? specialTokens.length > 0 };
  for (const role of [roles.bos, roles.eos]) {
    if (role !== undefined && !specialTokens.includes(role)) throw badOption('bos and eos among the special tokens', show(role), 'Add it to specialTokens.');
  }
  return { vocabularySize, specialTokens, roles, pattern, leastCount };
}

/** Learnt tokens are written in the letters of bytes. One of ASCII text never collides: text is cut where it stands. */
function checkNames(specialTokens: readonly string[]): void {
  const letters = new Set(BYTE_LETTERS.map((letter) => String.fromCharCode(letter)));
  const taken = specialTokens.find((token) => [...token].every((letter) => letters.has(letter)) && (token.length === 1 || /[^\0-\x7f]/.test(token)));
  if (taken !== undefined) throw badOption('special tokens that cannot be mistaken for learnt ones', show(taken), 'Write it as "<|name|>".');
}
