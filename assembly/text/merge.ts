import { Engine, FUSE_UNKNOWN, HASH_BASE, NONE, SPACE_MARK } from './engine';
import { findBytes, findHashed, findPair } from './vocabulary';

/**
 * Scratch of one word of n bytes, from Engine.scratch on:
 *   prefixes  (n + 1) u32   polynomial hash of the first i bytes (only without a merge list)
 *   symbols   (n + 1) x 16  id, start (byte offset), rank and merged id of the pair with the next symbol
 *   links     (n + 1) x 8   previous, next symbol (only for long words)
 *   heap      2 n x 8       rank << 32 | symbol, smallest first (only for long words)
 */
export const SCRATCH_PER_BYTE: u32 = 48;
export const SCRATCH_BASE: u32 = 64;
const SYMBOL: usize = 16;
const ID: usize = 0;
const START: usize = 4;
const RANK: usize = 8;
const MERGED: usize = 12;
const LINK: usize = 8;
const PREVIOUS: usize = 0;
const NEXT: usize = 4;

/** Up to this many symbols a plain search for the smallest rank is faster than a heap. */
const SMALL: u32 = 40;

/** Bytes of a UTF-8 character by its first byte. */
// @ts-ignore: decorator
@inline
export function charLength(byte: u32): usize {
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/** Encodes the word [p, end) by merging; ids go to `out`. Returns the end of the ids. */
export function mergeWord(e: Engine, p: usize, end: usize, out: usize): usize {
  const prefixes = e.scratch;
  const symbols = prefixes + (((end - p + 1) << 2) + 15 & ~15);
  if (e.pairs == 0) hashPrefixes(p, end, prefixes);
  const count = e.bytes ? byteSymbols(e, p, end, symbols) : charSymbols(e, p, end, symbols);
  const kept = count <= SMALL ? mergeSmall(e, p, symbols, count) : mergeLarge(e, p, symbols, count);
  return writeSymbols(e, p, symbols, kept, out);
}

function hashPrefixes(p: usize, end: usize, to: usize): void {
  let hash: u32 = 0;
  store<u32>(to, 0);
  for (; p < end; p++) {
    hash = hash * HASH_BASE + load<u8>(p) + 1;
    to += 4;
    store<u32>(to, hash);
  }
}

/** One symbol a byte, and one more that marks the end. Returns their number. */
function byteSymbols(e: Engine, p: usize, end: usize, symbols: usize): u32 {
  const length = <u32>(end - p);
  let at = symbols;
  for (let i: u32 = 0; i < length; i++) {
    store<u32>(at, load<u32>(e.bytes + ((<usize>load<u8>(p + i)) << 2)), ID);
    store<u32>(at, i, START);
    at += SYMBOL;
  }
  store<u32>(at, length, START);
  return length;
}

function charSymbols(e: Engine, p: usize, end: usize, symbols: usize): u32 {
  let at = symbols;
  let count: u32 = 0;
  for (let q = p; q < end; count++) {
    const next = min(end, q + charLength(load<u8>(q)));
    store<u32>(at, findBytes(e, q, next), ID);
    store<u32>(at, <u32>(q - p), START);
    at += SYMBOL;
    q = next;
  }
  store<u32>(at, <u32>(end - p), START);
  return count;
}

/** Sets rank and merged id of the pair of symbols `left` and `right`, which ends at byte `stop` of the word. */
// @ts-ignore: decorator
@inline
function rate(e: Engine, p: usize, left: usize, right: usize, stop: u32): u32 {
  let rank: u32 = NONE;
  if (e.pairs) {
    const slot = findPair(e, load<u32>(left, ID), load<u32>(right, ID));
    if (load<u32>(slot) != NONE) {
      rank = load<u32>(slot, 8);
      store<u32>(left, load<u32>(slot, 12), MERGED);
    }
  } else {
    const start = load<u32>(left, START);
    const length = stop - start;
    if (length <= e.maxLength) {
      const prefix = load<u32>(e.scratch + ((<usize>start) << 2)) * load<u32>(e.powers + ((<usize>length) << 2));
      const id = findHashed(e, p + start, length, load<u32>(e.scratch + ((<usize>stop) << 2)) - prefix);
      if (id != NONE) {
        rank = e.ranks ? load<u32>(e.ranks + ((<usize>id) << 2)) : id;
        store<u32>(left, id, MERGED);
      }
    }
  }
  store<u32>(left, rank, RANK);
  return rank;
}

/** Rates every pair of the fresh symbols: bytes by their own table. */
function rateAll(e: Engine, p: usize, symbols: usize, count: u32): void {
  const last = symbols + <usize>(count - 1) * SYMBOL;
  store<u32>(last, NONE, RANK);
  if (e.bytePairs) {
    for (let at = symbols; at < last; at += SYMBOL, p++) {
      store<u64>(at, load<u64>(e.bytePairs + ((<usize>load<u16>(p)) << 3)), RANK);
    }
  } else for (let at = symbols; at < last; at += SYMBOL) rate(e, p, at, at + SYMBOL, load<u32>(at, 2 * SYMBOL + START));
}

/** Merges the smallest rank first, the leftmost of equals, closing the gap each time. Returns how many symbols stay. */
function mergeSmall(e: Engine, p: usize, symbols: usize, count: u32): u32 {
  let end = symbols + <usize>count * SYMBOL; // the end mark
  if (count > 1) rateAll(e, p, symbols, count);
  while (count > 1) {
    let best: u32 = NONE;
    let where: usize = 0;
    for (let at = symbols; at < end; at += SYMBOL) {
      const rank = load<u32>(at, RANK);
      where = select(at, where, rank < best);
      best = min(best, rank);
    }
    if (best == NONE) break;
    store<u32>(where, load<u32>(where, MERGED), ID);
    for (let at = where + SYMBOL; at < end; at += SYMBOL) {
      store<u64>(at, load<u64>(at, SYMBOL));
      store<u64>(at, load<u64>(at, SYMBOL + 8), 8);
    }
    end -= SYMBOL;
    count--;
    if (where + SYMBOL < end) rate(e, p, where, where + SYMBOL, load<u32>(where, 2 * SYMBOL + START));
    else store<u32>(where, NONE, RANK);
    if (where > symbols) rate(e, p, where - SYMBOL, where, load<u32>(where, SYMBOL + START));
  }
  return count;
}

/**
 * The same by a heap over linked symbols: n log n. Entries that a merge made stale are known by their rank.
 * Closes the gaps at the end; returns how many symbols stay.
 */
function mergeLarge(e: Engine, p: usize, symbols: usize, count: u32): u32 {
  const links = symbols + <usize>(count + 1) * SYMBOL;
  const heap = links + <usize>(count + 1) * LINK;
  let size: u32 = 0;
  rateAll(e, p, symbols, count);
  for (let i: u32 = 0; i <= count; i++) {
    store<u32>(links + <usize>i * LINK, i - 1, PREVIOUS);
    store<u32>(links + <usize>i * LINK, i + 1, NEXT);
    const rank = load<u32>(symbols + <usize>i * SYMBOL, RANK);
    if (i < count && rank != NONE) size = push(heap, size, ((<u64>rank) << 32) | i);
  }
  while (size) {
    const top = load<u64>(heap);
    size = pop(heap, size);
    const index = <u32>top;
    if (load<u32>(symbols + <usize>index * SYMBOL, RANK) == <u32>(top >> 32)) size = mergeAt(e, p, symbols, links, count, index, heap, size);
  }
  return closeGaps(symbols, links, count);
}

/** Merges symbol `index` with its next one, and rates the two pairs that it is then part of. */
function mergeAt(e: Engine, p: usize, symbols: usize, links: usize, count: u32, index: u32, heap: usize, size: u32): u32 {
  const left = symbols + <usize>index * SYMBOL;
  const right = load<u32>(links + <usize>index * LINK, NEXT);
  const next = load<u32>(links + <usize>right * LINK, NEXT);
  const previous = load<u32>(links + <usize>index * LINK, PREVIOUS);
  store<u32>(left, load<u32>(left, MERGED), ID);
  store<u32>(left, NONE, RANK);
  store<u32>(symbols + <usize>right * SYMBOL, NONE, RANK);
  store<u32>(links + <usize>index * LINK, next, NEXT);
  store<u32>(links + <usize>next * LINK, index, PREVIOUS);
  if (next < count) {
    const stop = load<u32>(symbols + <usize>load<u32>(links + <usize>next * LINK, NEXT) * SYMBOL, START);
    size = consider(e, p, symbols, index, next, stop, heap, size);
  }
  return previous == NONE ? size : consider(e, p, symbols, previous, index, load<u32>(symbols + <usize>next * SYMBOL, START), heap, size);
}

function consider(e: Engine, p: usize, symbols: usize, left: u32, right: u32, stop: u32, heap: usize, size: u32): u32 {
  const rank = rate(e, p, symbols + <usize>left * SYMBOL, symbols + <usize>right * SYMBOL, stop);
  return rank == NONE ? size : push(heap, size, ((<u64>rank) << 32) | left);
}

function closeGaps(symbols: usize, links: usize, count: u32): u32 {
  let to = symbols;
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; kept++) {
    store<u64>(to, load<u64>(symbols + <usize>i * SYMBOL)); // id and start
    to += SYMBOL;
    i = load<u32>(links + <usize>i * LINK, NEXT);
  }
  store<u32>(to, load<u32>(symbols + <usize>count * SYMBOL, START), START);
  return kept;
}

function push(heap: usize, size: u32, entry: u64): u32 {
  let at: u32 = size;
  while (at) {
    const parent = (at - 1) >> 1;
    const above = load<u64>(heap + ((<usize>parent) << 3));
    if (above <= entry) break;
    store<u64>(heap + ((<usize>at) << 3), above);
    at = parent;
  }
  store<u64>(heap + ((<usize>at) << 3), entry);
  return size + 1;
}

function pop(heap: usize, size: u32): u32 {
  size--;
  const entry = load<u64>(heap + ((<usize>size) << 3));
  let at: u32 = 0;
  while (true) {
    let child: u32 = 2 * at + 1;
    if (child >= size) break;
    const first = heap + ((<usize>child) << 3);
    if (child + 1 < size && load<u64>(first, 8) < load<u64>(first)) child++;
    const below = load<u64>(heap + ((<usize>child) << 3));
    if (below >= entry) break;
    store<u64>(heap + ((<usize>at) << 3), below);
    at = child;
  }
  store<u64>(heap + ((<usize>at) << 3), entry);
  return size;
}

function writeSymbols(e: Engine, p: usize, symbols: usize, count: u32, out: usize): usize {
  let unknownAt: usize = 0; // end of the ids when the last of them is a fused unknown
  for (let i: u32 = 0; i < count; i++) {
    const at = symbols + <usize>i * SYMBOL;
    const id = load<u32>(at, ID);
    if (id != NONE) {
      store<u32>(out, id);
      out += 4;
      continue;
    }
    const written = writeBytes(e, p + load<u32>(at, START), p + load<u32>(at, SYMBOL + START), out);
    if (written) out = written;
    else if (e.unknown != NONE && !(out == unknownAt && e.flags & FUSE_UNKNOWN)) {
      store<u32>(out, e.unknown);
      out += 4;
      unknownAt = out;
    }
  }
  return out;
}

/** The byte tokens of an unknown character; 0 when one of them is missing. */
function writeBytes(e: Engine, p: usize, end: usize, out: usize): usize {
  if (e.flags & SPACE_MARK && load<u8>(p) == 0x20) {
    store<u32>(e.scratch, 0x8196e2); // U+2581
    p = e.scratch;
    end = p + 3;
  }
  for (; p < end; p++) {
    const id = load<u32>(e.fallback + ((<usize>load<u8>(p)) << 2));
    if (id == NONE) return 0;
    store<u32>(out, id);
    out += 4;
  }
  return out;
}
