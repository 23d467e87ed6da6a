import { allocate, badOption, show } from '../../files/refuse.js';

/** The n-grams of one length: see CountedLevel. Probabilities are whole: interpolated with those of all shorter ones. */
export interface NgramLevel {
  readonly words: Uint16Array | Uint32Array;
  /** p(last token | the tokens before it). */
  readonly probabilities: Float32Array;
  /** What a token unseen behind this n-gram keeps of its probability behind the shorter one. Empty in the last level. */
  readonly backoffs: Float32Array;
  readonly children: Uint32Array;
}

export interface NgramContent {
  readonly order: number;
  readonly vocabulary: number;
  /** Modified Kneser-Ney discounts of counts 1, 2, 3 and more, for each length. */
  readonly discounts: readonly (readonly number[])[];
  /** Backoff of the empty context, to 1 / vocabulary. */
  readonly backoff: number;
  readonly levels: readonly NgramLevel[];
  /** What its ids mean: a GGUF file without tensors. */
  readonly tokenizer?: Uint8Array<ArrayBuffer>;
}

const NOWHERE = -1;

/** An n-gram language model with interpolated modified Kneser-Ney smoothing, over token ids. */
export class NgramModel {
  readonly order: number;
  readonly vocabulary: number;
  /** Node of each single token. */
  private readonly roots: Int32Array;

  constructor(readonly content: NgramContent) {
    checkContent(content);
    this.order = content.order;
    this.vocabulary = content.vocabulary;
    this.roots = new Int32Array(allocate(content.vocabulary * 4, 'an n-gram model').buffer).fill(NOWHERE);
    content.levels[0]!.words.forEach((word, node) => (this.roots[word] = node));
  }

  /** How many n-grams of each length have been seen. */
  get sizes(): number[] {
    return this.content.levels.map(({ words }) => words.length);
  }

  /** Numbers that were learnt: a probability for each n-gram, a backoff for each that others continue. */
  get parameters(): number {
    return this.content.levels.reduce((sum, { probabilities, backoffs }) => sum + probabilities.length + backoffs.length, 1);
  }

  /** p(token | context): the longest part of the context that has been seen decides. */
  probability(context: ArrayLike<number>, token: number): number {
    this.check(token);
    checkList(context);
    let kept = 1;
    for (let length = Math.min(context.length, this.order - 1); length > 0; length--) {
      const node = this.find(context, context.length - length, length);
      if (node === NOWHERE) continue;
      const child = this.child(length - 1, node, token);
      if (child !== NOWHERE) return kept * this.content.levels[length]!.probabilities[child]!;
      kept *= this.content.levels[length - 1]!.backoffs[node]!;
    }
    const node = this.roots[token]!;
    return kept * (node === NOWHERE ? this.content.backoff / this.vocabulary : this.content.levels[0]!.probabilities[node]!);
  }

  /** The probabilities of all tokens behind a context, into `out` (one for each token). */
  distribution(context: ArrayLike<number>, out: Float64Array = new Float64Array(this.vocabulary)): Float64Array {
    checkList(context);
    if (!(out instanceof Float64Array && out.length === this.vocabulary)) throw badOption(`a Float64Array of ${this.vocabulary} places`, show(out));
    const { levels, backoff } = this.content;
    out.fill(backoff / this.vocabulary);
    levels[0]!.words.forEach((word, node) => (out[word] = levels[0]!.probabilities[node]!));
    for (let length = 1; length <= Math.min(context.length, this.order - 1); length++) {
      const node = this.find(context, context.length - length, length);
      if (node === NOWHERE) break;
      const { backoffs, children } = levels[length - 1]!;
      const { words, probabilities } = levels[length]!;
      for (let token = 0; token < out.length; token++) out[token]! *= backoffs[node]!;
      for (let child = children[node]!; child < children[node + 1]!; child++) out[words[child]!] = probabilities[child]!;
    }
    return out;
  }

  /** Sum of -ln p over all tokens of a sequence but the first, and how many these are. */
  score(ids: ArrayLike<number>): { nats: number; tokens: number } {
    checkList(ids);
    let nats = 0;
    const window = Array.from({ length: this.order - 1 }, () => 0);
    for (let at = 1; at < ids.length; at++) {
      const length = Math.min(at, this.order - 1);
      window.length = length;
      for (let i = 0; i < length; i++) window[i] = ids[at - length + i]!;
      nats -= Math.log(this.probability(window, ids[at]!));
    }
    return { nats, tokens: Math.max(0, ids.length - 1) };
  }

  /** The node of context[from, from + length), or NOWHERE. */
  private find(context: ArrayLike<number>, from: number, length: number): number {
    for (let i = from; i < from + length; i++) if (typeof context[i] !== 'number') throw badOption('token ids', show(context[i]));
    let node = this.roots[context[from]!] ?? NOWHERE;
    for (let i = 1; i < length && node !== NOWHERE; i++) node = this.child(i - 1, node, context[from + i]!);
    return node;
  }

  /** The node of a token behind a node of level `level`, by binary search. */
  private child(level: number, node: number, token: number): number {
    const { children } = this.content.levels[level]!;
    const { words } = this.content.levels[level + 1]!;
    let low = children[node]!;
    let high = children[node + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (words[middle]! < token) low = middle + 1;
      else high = middle;
    }
    return low < children[node + 1]! && words[low] === token ? low : NOWHERE;
  }

  private check(token: number): void {
    if (Number.isInteger(token) && token >= 0 && token < this.vocabulary) return;
    throw badOption(`a token id from 0 to ${this.vocabulary - 1}`, show(token), 'Use ids of the tokenizer that the model was learnt with.');
  }
}

/** The longest n-grams that are counted. */
export const LONGEST = 16;
const MOST_IDS = 2 ** 31;

/** @throws StonechatError `bad-option` for what is no model. */
export function checkModel(model: unknown): asserts model is NgramModel {
  if (!(model instanceof NgramModel)) throw badOption('an n-gram model', show(model), 'Pass what learnNgrams() or readNgrams() gave.');
}

function checkList(ids: unknown): void {
  if (!Array.isArray(ids) && !ArrayBuffer.isView(ids)) throw badOption('a list of token ids', show(ids));
}

const isWhole = (value: unknown, least: number, most: number): boolean => Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const isWords = (value: unknown): value is Uint16Array | Uint32Array => value instanceof Uint16Array || value instanceof Uint32Array;

/** Arrays of one length, children one more, in all levels but the last. */
function isLevel(level: unknown, last: boolean): boolean {
  const { words, probabilities, backoffs, children }: Partial<NgramLevel> = Object(level);
  if (!isWords(words) || !(probabilities instanceof Float32Array) || !(backoffs instanceof Float32Array) || !isWords(children)) return false;
  return probabilities.length === words.length && (last || (backoffs.length === words.length && children.length === words.length + 1));
}

const isNumbers = (value: unknown): boolean => Array.isArray(value) && value.every((number) => typeof number === 'number');

/** @throws StonechatError `bad-option` */
function checkContent(content: NgramContent): void {
  const { order, vocabulary, discounts, backoff, levels, tokenizer }: Partial<NgramContent> = Object(content);
  const wrong = Object.entries({
    order: isWhole(order, 1, LONGEST),
    vocabulary: isWhole(vocabulary, 1, MOST_IDS),
    discounts: Array.isArray(discounts) && discounts.every(isNumbers),
    backoff: typeof backoff === 'number',
    levels: Array.isArray(levels) && levels.length === order && levels.every((level, n) => isLevel(level, n === levels.length - 1)),
    tokenizer: tokenizer === undefined || tokenizer instanceof Uint8Array,
  }).find(([, right]) => !right);
  if (wrong) throw badOption('the content of an n-gram model', `a wrong ${wrong[0]}`, 'Make models by learnNgrams() or readNgrams().');
}
