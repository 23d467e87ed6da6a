import { badOption, show } from '../../files/refuse.js';
import { LONGEST } from './model.js';

/**
 * The n-grams of one length, in lexicographic order: level n of a trie whose level n - 1 points into it.
 * `words` are last tokens; n-grams that differ only there lie side by side.
 */
export interface CountedLevel {
  readonly size: number;
  readonly words: Uint32Array;
  readonly counts: Uint32Array;
  /** A place in the stream where the n-gram stands. */
  readonly places: Uint32Array;
  /** Node i's children in the next level: children[i] to children[i + 1]. Empty in the last. */
  readonly children: Uint32Array;
  /** The n-gram at each place of the stream that has one. Empty in the last. */
  readonly at: Uint32Array;
}

/** Counts for Kneser-Ney smoothing: of the longest n-grams how often they occur, of shorter ones how many different tokens stand before them. */
export interface NgramCounts {
  readonly order: number;
  readonly vocabulary: number;
  readonly levels: readonly CountedLevel[];
}

const MOST_TOKENS = 2 ** 31;
const MOST_IDS = 1 << 24;

/** A stream of sequences: ids + 1, a zero behind each, `order` zeros at the end. */
interface Stream {
  readonly ids: Uint32Array;
  /** Where each sequence starts. */
  readonly starts: readonly number[];
  readonly tokens: number;
}

/**
 * Counts the n-grams of 1 to `order` tokens. None spans two sequences, and the first token of each is given, not predicted.
 * @throws StonechatError `bad-option` for ids outside the vocabulary, or nothing to predict.
 */
export function countNgrams(sequences: Iterable<ArrayLike<number>>, order: number, vocabulary: number): NgramCounts {
  if (!Number.isInteger(order) || order < 1 || order > LONGEST) throw badOption(`an order of 1 to ${LONGEST}`, show(order), 'Use 3 to 5: longer n-grams hardly ever return.');
  if (!Number.isInteger(vocabulary) || vocabulary < 1 || vocabulary > MOST_IDS) throw badOption('the size of the vocabulary', show(vocabulary));
  if (!(Symbol.iterator in Object(sequences))) throw badOption('lists of token ids', show(sequences), 'Pass one list for each document.');
  const stream = join([...sequences], order, vocabulary);
  const levels = buildLevels(stream, sortPlaces(stream, order, vocabulary), order);
  countContinuations(stream, levels);
  return { order, vocabulary, levels };
}

function join(sequences: readonly ArrayLike<number>[], order: number, vocabulary: number): Stream {
  const wrong = sequences.findIndex((sequence) => !Number.isSafeInteger(Object(sequence).length));
  if (wrong >= 0) throw badOption('lists of token ids', show(sequences[wrong]), 'Pass one list for each document.');
  const tokens = sequences.reduce((sum, { length }) => sum + length, 0);
  if (!sequences.some(({ length }) => length > 1)) {
    throw badOption('sequences of at least two tokens', `${sequences.length} sequences of ${tokens} tokens together`, 'Give more text: the first token of a sequence is not predicted.');
  }
  if (tokens >= MOST_TOKENS) throw badOption(`fewer than ${MOST_TOKENS} tokens`, show(tokens), 'Use a part of the text.');
  const ids = new Uint32Array(tokens + sequences.length + order);
  const starts: number[] = [];
  let at = 0;
  for (const sequence of sequences) {
    starts.push(at);
    for (let i = 0; i < sequence.length; i++) {
      const id = sequence[i]!;
      if (!(typeof id === 'number' && id >= 0 && id < vocabulary)) throw badOption(`token ids from 0 to ${vocabulary - 1}`, show(id), 'Encode the text with the tokenizer whose size is given.');
      ids[at++] = id + 1;
    }
    at++;
  }
  return { ids, starts, tokens };
}

/** All places of tokens, ordered by the n-gram that starts there: one counting sort for each of its tokens, the last first. */
function sortPlaces({ ids, tokens }: Stream, order: number, vocabulary: number): Uint32Array {
  let places = new Uint32Array(tokens);
  let spare = new Uint32Array(tokens);
  let count = 0;
  for (let place = 0; place < ids.length; place++) if (ids[place]) places[count++] = place;
  const starts = new Uint32Array(vocabulary + 2);
  for (let offset = order - 1; offset >= 0; offset--) {
    starts.fill(0);
    for (let i = 0; i < tokens; i++) starts[ids[places[i]! + offset]! + 1]!++;
    for (let token = 1; token < starts.length; token++) starts[token]! += starts[token - 1]!;
    for (let i = 0; i < tokens; i++) spare[starts[ids[places[i]! + offset]!]!++] = places[i]!;
    [places, spare] = [spare, places];
  }
  return places;
}

/** Tokens that the n-grams at two places share from their start, up to the end of the sequence. */
function shared(ids: Uint32Array, a: number, b: number, order: number): number {
  let length = 0;
  while (length < order && ids[a + length] && ids[a + length] === ids[b + length]) length++;
  return length;
}

function levelSizes({ ids }: Stream, places: Uint32Array, order: number): Uint32Array {
  const sizes = new Uint32Array(order);
  for (let i = 0; i < places.length; i++) {
    const place = places[i]!;
    for (let n = i ? shared(ids, place, places[i - 1]!, order) : 0; n < order && ids[place + n]; n++) sizes[n]!++;
  }
  return sizes;
}

function buildLevels(stream: Stream, places: Uint32Array, order: number): CountedLevel[] {
  const { ids } = stream;
  const levels = Array.from(levelSizes(stream, places, order), (size, n) => newLevel(size, n < order - 1, ids.length));
  const next = new Uint32Array(order + 1);
  for (let i = 0; i < places.length; i++) {
    const place = places[i]!;
    const known = i ? shared(ids, place, places[i - 1]!, order) : 0;
    for (let n = 0; n < order && ids[place + n]; n++) {
      const level = levels[n]!;
      if (n >= known) {
        const node = next[n]!++;
        level.words[node] = ids[place + n]! - 1;
        level.places[node] = place;
        if (n < order - 1) level.children[node] = next[n + 1]!;
      }
      level.counts[next[n]! - 1]!++;
      if (n < order - 1) level.at[place] = next[n]! - 1;
    }
  }
  levels.slice(0, -1).forEach(({ children, size }, n) => (children[size] = next[n + 1]!));
  return levels;
}

function newLevel(size: number, inner: boolean, places: number): CountedLevel {
  return {
    size, words: new Uint32Array(size), counts: new Uint32Array(size), places: new Uint32Array(size),
    children: new Uint32Array(inner ? size + 1 : 0), at: new Uint32Array(inner ? places : 0),
  };
}

/**
 * Makes the counts of all but the longest n-grams continuation counts. An n-gram that begins a sequence has nothing before
 * it: each such place counts by itself (as KenLM does). The first token of a sequence is not counted alone.
 */
function countContinuations({ starts, ids }: Stream, levels: readonly CountedLevel[]): void {
  const [first] = levels;
  levels.slice(0, -1).forEach(({ counts, at }, n) => {
    counts.fill(0);
    const longer = levels[n + 1]!;
    for (let node = 0; node < longer.size; node++) counts[at[longer.places[node]! + 1]!]!++;
    for (const start of starts) if (n > 0 && holds(ids, start, n + 1)) counts[at[start]!]!++;
  });
  if (levels.length > 1) return;
  const index = new Map(Array.from(first!.words, (word, node) => [word, node]));
  for (const start of starts) if (ids[start]) first!.counts[index.get(ids[start]! - 1)!]!--;
}

function holds(ids: Uint32Array, place: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (!ids[place + i]) return false;
  return true;
}
