import { hashWord } from './cache';
import { DONE, Engine, LOOK_AHEAD, NONE, PAGE_MISSING } from './engine';
import { forgetMissing, missing, reached, scan } from './scan';
import { pairSlot, sameBytes } from './vocabulary';

/**
 * Learning a byte-level BPE vocabulary (Sennrich et al. 2016): words are counted, then the most frequent pair of
 * neighbouring symbols becomes a symbol, again and again. All occurrences of a pair are listed, so a merge touches only
 * those, and every count stays what counting everything anew would give.
 *
 * src/train/tokenizer/pair-learner.ts lays out the memory and fills this struct: words of 32 bits, in this order (the first is 64).
 *
 * The bytes of all distinct words lie one after the other with a free byte before and behind each; `positions` of them
 * in all. A symbol is the place of its first byte: ids[place] is its id (NONE on free bytes and inside symbols),
 * spans[place] its length in bytes, noted on its last byte too, so that both neighbours are found at once.
 */
@unmanaged
export class Learner {
  /** Words of the text, repetitions included. */
  total: u64;
  words: usize;
  wordsEnd: usize;
  wordsLimit: usize;
  /** Word table, open addressing, 16 bytes a slot: hash, offset from `words`, length, count (0: free). */
  table: usize;
  tableMask: u32;
  distinct: u32;
  /** u32 each, `positions` of them: see above; `weights` is the count of the word. */
  ids: usize;
  spans: usize;
  weights: usize;
  positions: u32;
  /** 24 bytes a pair: left, right id, count (u64), first node + 1, last merge that made it grow. */
  pairs: usize;
  pairCount: u32;
  /** Open addressing, u32: number of the pair + 1. */
  pairTable: usize;
  pairMask: u32;
  /** 8 bytes an occurrence: place, next node + 1. */
  nodes: usize;
  nodeCount: u32;
  /** 16 bytes an entry: a count (u64) that the pair once had, address of the pair. The greatest first. */
  heap: usize;
  heapSize: u32;
  /** Pairs that grew in this merge, noted behind the heap until it ends. */
  grown: u32;
  merge: u32;
  /** 8 bytes a token: address, length of its bytes. The first 256 are the bytes. */
  tokens: usize;
  tokenCount: u32;
  /** The pair that learn_best found. */
  best: usize;
}

/** learn_count: the words or their table are full. */
const WORDS_FULL: i32 = 4;
const WORD_SLACK: usize = 16;

const LEFT: usize = 0;
const RIGHT: usize = 4;
const COUNT: usize = 8;
const NODE: usize = 16;
const GREW: usize = 20;
const PAIR: usize = 24;

/** Counts the pieces of the window, as far as they are sure; Engine.text moves on. See text_encode. */
export function learn_count(engine: usize, learner: usize): i32 {
  const e = changetype<Engine>(engine);
  const l = changetype<Learner>(learner);
  let status = DONE;
  forgetMissing();
  while (e.text < e.textEnd) {
    const stop = scan(e, e.text, e.textEnd);
    if (missing) {
      e.need = missing;
      status = PAGE_MISSING;
      break;
    }
    if (!e.final && max(stop, reached) + LOOK_AHEAD > e.textEnd) break;
    if (!countWord(l, e.text, stop - e.text)) {
      status = WORDS_FULL;
      break;
    }
    e.text = stop;
  }
  return status;
}

function countWord(l: Learner, p: usize, length: usize): bool {
  const hash = <u32>(hashWord(p, length) >> 16);
  let slot = hash & l.tableMask;
  let at = l.table + ((<usize>slot) << 4);
  for (; load<u32>(at, 12); at = l.table + ((<usize>slot) << 4)) {
    if (load<u32>(at) == hash && <usize>load<u32>(at, 8) == length && sameBytes(l.words + load<u32>(at, 4), p, length)) {
      store<u32>(at, load<u32>(at, 12) + 1, 12);
      l.total++;
      return true;
    }
    slot = (slot + 1) & l.tableMask;
  }
  if (l.wordsEnd + length + WORD_SLACK > l.wordsLimit || l.distinct > l.tableMask >> 1) return false;
  memory.copy(l.wordsEnd, p, length);
  store<u32>(at, hash);
  store<u32>(at, <u32>(l.wordsEnd - l.words), 4);
  store<u32>(at, <u32>length, 8);
  store<u32>(at, 1, 12);
  l.wordsEnd += length + 1;
  l.distinct++;
  l.total++;
  return true;
}

/** Moves the word table to a larger one (zeroed). */
export function learn_rehash(learner: usize, table: usize, mask: u32): void {
  const l = changetype<Learner>(learner);
  for (let i: u32 = 0; i <= l.tableMask; i++) {
    const from = l.table + ((<usize>i) << 4);
    if (!load<u32>(from, 12)) continue;
    let slot = load<u32>(from) & mask;
    while (load<u32>(table + ((<usize>slot) << 4), 12)) slot = (slot + 1) & mask;
    memory.copy(table + ((<usize>slot) << 4), from, 16);
  }
  l.table = table;
  l.tableMask = mask;
}

// @ts-ignore: decorator
@inline
function at32(base: usize, index: u32): u32 {
  return load<u32>(base + ((<usize>index) << 2));
}

// @ts-ignore: decorator
@inline
function put32(base: usize, index: u32, value: u32): void {
  store<u32>(base + ((<usize>index) << 2), value);
}

/** Turns the counted words into symbols of one byte each, and lists and counts their pairs. */
export function learn_begin(learner: usize): void {
  const l = changetype<Learner>(learner);
  memory.fill(l.ids, 0xff, (<usize>l.positions) << 2);
  for (let i: u32 = 0; i < l.positions; i++) put32(l.spans, i, 1);
  for (let i: u32 = 0; i <= l.tableMask; i++) {
    const slot = l.table + ((<usize>i) << 4);
    const count = load<u32>(slot, 12);
    if (!count) continue;
    const start = load<u32>(slot, 4);
    const end = start + load<u32>(slot, 8);
    for (let place = start; place < end; place++) {
      put32(l.ids, place, load<u8>(l.words + place));
      put32(l.weights, place, count);
    }
  }
  l.merge = 1;
  for (let place: u32 = 1; place < l.positions; place++) {
    const left = at32(l.ids, place - 1);
    const right = at32(l.ids, place);
    if (left != NONE && right != NONE) addPair(l, place - 1, left, right, at32(l.weights, place));
  }
  queueGrown(l);
}

/** Address of a pair, made when it is new. */
function findPair(l: Learner, left: u32, right: u32): usize {
  let slot = pairSlot(left, right, l.pairMask);
  for (let number = at32(l.pairTable, slot); number; number = at32(l.pairTable, slot)) {
    const pair = l.pairs + <usize>(number - 1) * PAIR;
    if (load<u32>(pair, LEFT) == left && load<u32>(pair, RIGHT) == right) return pair;
    slot = (slot + 1) & l.pairMask;
  }
  const pair = l.pairs + <usize>l.pairCount * PAIR;
  store<u32>(pair, left, LEFT);
  store<u32>(pair, right, RIGHT);
  put32(l.pairTable, slot, ++l.pairCount);
  return pair;
}

function addPair(l: Learner, place: u32, left: u32, right: u32, weight: u32): void {
  const pair = findPair(l, left, right);
  store<u64>(pair, load<u64>(pair, COUNT) + weight, COUNT);
  const node = l.nodes + ((<usize>l.nodeCount) << 3);
  store<u32>(node, place);
  store<u32>(node, load<u32>(pair, NODE), 4);
  store<u32>(pair, ++l.nodeCount, NODE);
  if (load<u32>(pair, GREW) == l.merge) return;
  store<u32>(pair, l.merge, GREW);
  store<u32>(l.heap + ((<usize>(l.heapSize + l.grown++)) << 4), <u32>pair, 8);
}

// @ts-ignore: decorator
@inline
function dropPair(l: Learner, left: u32, right: u32, weight: u32): void {
  const pair = findPair(l, left, right);
  store<u64>(pair, load<u64>(pair, COUNT) - weight, COUNT);
}

/** Puts the pairs noted behind the heap into it, each with the count it has now. */
function queueGrown(l: Learner): void {
  const first = l.heapSize;
  for (let i: u32 = 0; i < l.grown; i++) {
    const pair = <usize>load<u32>(l.heap + ((<usize>(first + i)) << 4), 8);
    if (load<u64>(pair, COUNT)) siftUp(l, l.heapSize++, load<u64>(pair, COUNT), pair);
  }
  l.grown = 0;
}

/** Compares the bytes of two tokens: negative, 0 or positive. */
function compareTokens(l: Learner, a: u32, b: u32): i32 {
  if (a == b) return 0;
  const first = l.tokens + ((<usize>a) << 3);
  const second = l.tokens + ((<usize>b) << 3);
  const lengthA = load<u32>(first, 4);
  const lengthB = load<u32>(second, 4);
  const found = memory.compare(<usize>load<u32>(first), <usize>load<u32>(second), <usize>min(lengthA, lengthB));
  return found ? found : <i32>lengthA - <i32>lengthB;
}

/** Is the pair `a`, seen `countA` times, learnt before `b`? The more frequent; of equals the one whose bytes (left, then right) are greater. */
function precedes(l: Learner, countA: u64, a: usize, countB: u64, b: usize): bool {
  if (countA != countB) return countA > countB;
  const left = compareTokens(l, load<u32>(a, LEFT), load<u32>(b, LEFT));
  return (left ? left : compareTokens(l, load<u32>(a, RIGHT), load<u32>(b, RIGHT))) > 0;
}

function siftUp(l: Learner, at: u32, count: u64, pair: usize): void {
  while (at) {
    const parent = (at - 1) >> 1;
    const above = l.heap + ((<usize>parent) << 4);
    if (!precedes(l, count, pair, load<u64>(above), <usize>load<u32>(above, 8))) break;
    memory.copy(l.heap + ((<usize>at) << 4), above, 16);
    at = parent;
  }
  store<u64>(l.heap + ((<usize>at) << 4), count);
  store<u32>(l.heap + ((<usize>at) << 4), <u32>pair, 8);
}

/** Fills the hole at the top with an entry. */
function siftDown(l: Learner, count: u64, pair: usize): void {
  let at: u32 = 0;
  while (true) {
    let child: u32 = 2 * at + 1;
    if (child >= l.heapSize) break;
    let below = l.heap + ((<usize>child) << 4);
    if (child + 1 < l.heapSize && precedes(l, load<u64>(below, 16), <usize>load<u32>(below, 24), load<u64>(below), <usize>load<u32>(below, 8))) {
      child++;
      below += 16;
    }
    if (!precedes(l, load<u64>(below), <usize>load<u32>(below, 8), count, pair)) break;
    memory.copy(l.heap + ((<usize>at) << 4), below, 16);
    at = child;
  }
  store<u64>(l.heap + ((<usize>at) << 4), count);
  store<u32>(l.heap + ((<usize>at) << 4), <u32>pair, 8);
}

/**
 * Finds the pair to merge next: Learner.best, 0 when there is none. Entries are never too small (a pair that grows is
 * entered again); one whose pair has shrunk since goes back with what is left.
 */
export function learn_best(learner: usize): usize {
  const l = changetype<Learner>(learner);
  l.best = 0;
  while (l.heapSize) {
    const pair = <usize>load<u32>(l.heap, 8);
    const count = load<u64>(pair, COUNT);
    if (count == load<u64>(l.heap)) {
      l.best = pair;
      break;
    }
    if (count) siftDown(l, count, pair);
    else {
      const last = l.heap + ((<usize>--l.heapSize) << 4);
      if (l.heapSize) siftDown(l, load<u64>(last), <usize>load<u32>(last, 8));
    }
  }
  return l.best;
}

/** Merges the pair Learner.best into the token `id`: a new one (the number of tokens so far), or one with these bytes. */
export function learn_merge(learner: usize, id: u32): void {
  const l = changetype<Learner>(learner);
  const left = load<u32>(l.best, LEFT);
  const right = load<u32>(l.best, RIGHT);
  let node = load<u32>(l.best, NODE);
  store<u32>(l.best, 0, NODE);
  l.merge++;
  while (node) {
    const entry = l.nodes + ((<usize>(node - 1)) << 3);
    let place = load<u32>(entry);
    node = load<u32>(entry, 4);
    if (left != right) mergeAt(l, place, left, right, id);
    else if (at32(l.ids, place) == left) mergeRun(l, place, left, id);
  }
  queueGrown(l);
}

/** Of a run of one symbol, pairs merge from its start on. */
function mergeRun(l: Learner, place: u32, symbol: u32, id: u32): void {
  let before = place - at32(l.spans, place - 1);
  while (at32(l.ids, before) == symbol) {
    place = before;
    before = place - at32(l.spans, place - 1);
  }
  while (mergeAt(l, place, symbol, symbol, id)) place += at32(l.spans, place);
}

/** Merges the two symbols at `place` if they are still these, and moves the counts of the pairs around. */
function mergeAt(l: Learner, place: u32, left: u32, right: u32, id: u32): bool {
  const middle = place + at32(l.spans, place);
  if (at32(l.ids, place) != left || at32(l.ids, middle) != right) return false;
  const end = middle + at32(l.spans, middle);
  const weight = at32(l.weights, place);
  const before = place - at32(l.spans, place - 1);
  const previous = at32(l.ids, before);
  const next = at32(l.ids, end);
  put32(l.ids, place, id);
  put32(l.ids, middle, NONE);
  put32(l.spans, place, end - place);
  put32(l.spans, end - 1, end - place);
  nameToken(l, id, place, end);
  dropPair(l, left, right, weight);
  if (previous != NONE) {
    dropPair(l, previous, left, weight);
    addPair(l, before, previous, id, weight);
  }
  if (next != NONE) {
    dropPair(l, right, next, weight);
    addPair(l, place, id, next, weight);
  }
  return true;
}

function nameToken(l: Learner, id: u32, place: u32, end: u32): void {
  if (id != l.tokenCount) return;
  store<u32>(l.tokens + ((<usize>id) << 3), <u32>(l.words + place));
  store<u32>(l.tokens + ((<usize>id) << 3), end - place, 4);
  l.tokenCount++;
}
