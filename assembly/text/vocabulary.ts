import { CROSSING, Engine, HASH_BASE, NONE, NORMAL, SPACE_MARK, UNUSED } from './engine';

/** Hash of bytes [p, end): a polynomial, so that `spanHash` gives any part of a word from two prefixes. */
export function hashBytes(p: usize, end: usize): u32 {
  let hash: u32 = 0;
  for (; p < end; p++) hash = hash * HASH_BASE + load<u8>(p) + 1;
  return hash;
}

// @ts-ignore: decorator
@inline
function spread(hash: u32): u32 {
  hash = (hash ^ (hash >> 15)) * 0x85ebca6b;
  return hash ^ (hash >> 13);
}

/** Are the `length` bytes equal? Eight at a time; both may be read 8 bytes further. */
// @ts-ignore: decorator
@inline
export function sameBytes(a: usize, b: usize, length: usize): bool {
  let i: usize = 0;
  for (; i + 8 <= length; i += 8) if (load<u64>(a + i) != load<u64>(b + i)) return false;
  return i == length || ((load<u64>(a + i) ^ load<u64>(b + i)) << ((8 - (<u64>(length - i))) << 3)) == 0;
}

/**
 * A slot of the token table:
 *   0  u64  the bytes of a token of up to 8, zero-padded; of a longer one hash (u32) and address (u32)
 *   8  u32  length in bytes
 *  12  u32  id + 1, 0 when free
 */
// @ts-ignore: decorator
@inline
function tokenKey(p: usize, length: usize, hash: u32): u64 {
  return length <= 8 ? load<u64>(p) & (<u64>-1 >> ((8 - <u64>length) << 3)) : <u64>hash;
}

/** The token whose bytes are [p, p + length), length > 0, given their polynomial hash; NONE if there is none. */
export function findHashed(e: Engine, p: usize, length: usize, hash: u32): u32 {
  const place = spread(hash);
  if (!(load<u32>(e.filter + ((<usize>(place & e.filterMask)) >> 5 << 2)) & (1 << (place & 31)))) return NONE;
  const key = tokenKey(p, length, hash);
  let slot = place & e.tableMask;
  while (true) {
    const entry = e.table + ((<usize>slot) << 4);
    const id = load<u32>(entry, 12);
    if (id == 0) return NONE;
    if (<usize>load<u32>(entry, 8) == length) {
      if (length <= 8) {
        if (load<u64>(entry) == key) return id - 1;
      } else if (load<u32>(entry) == hash && sameBytes(<usize>load<u32>(entry, 4), p, length)) return id - 1;
    }
    slot = (slot + 1) & e.tableMask;
  }
}

export function findBytes(e: Engine, p: usize, end: usize): u32 {
  return end == p || end - p > <usize>e.maxLength ? NONE : findHashed(e, p, end - p, hashBytes(p, end));
}

// @ts-ignore: decorator
@inline
export function pairSlot(left: u32, right: u32, mask: u32): u32 {
  let hash = left * 0x9e3779b1 + right * 0x85ebca77;
  hash ^= hash >> 15;
  return (hash * 0x2c1b3c6d) >> 7 & mask;
}

/** Address of the slot of a pair, taken or free. */
// @ts-ignore: decorator
@inline
export function findPair(e: Engine, left: u32, right: u32): usize {
  let slot = pairSlot(left, right, e.pairMask);
  while (true) {
    const entry = e.pairs + ((<usize>slot) << 4);
    const found = load<u32>(entry);
    if (found == NONE || (found == left && load<u32>(entry, 4) == right)) return entry;
    slot = (slot + 1) & e.pairMask;
  }
}

/** Bytes of the length in front of each string of a list: GGUF's, 64 bits, of which no string needs more than 32. */
const PREFIX: usize = 8;

/**
 * Writes the bytes that the string [p, end) stands for at `to` (never ahead of `p`) and returns their end.
 * `alphabet`: 384 u16, the byte of each character of GPT-2's byte alphabet or 0xffff; 0: bytes as they are, or U+2581 as a space (SPACE_MARK).
 * A string with a character outside the alphabet is taken as it is.
 */
function unwrap(e: Engine, p: usize, end: usize, to: usize, alphabet: usize): usize {
  if (alphabet && inAlphabet(p, end, alphabet)) return unwrapLetters(p, end, to, alphabet);
  if (e.flags & SPACE_MARK) return unwrapMarks(p, end, to);
  memory.copy(to, p, end - p);
  return to + (end - p);
}

// @ts-ignore: decorator
@inline
function letterByte(p: usize, byte: u32, alphabet: usize): u32 {
  const code = byte < 0x80 ? byte : byte < 0xc6 ? ((byte & 31) << 6) | (load<u8>(p, 1) & 63) : 383;
  return load<u16>(alphabet + ((<usize>code) << 1));
}

function inAlphabet(p: usize, end: usize, alphabet: usize): bool {
  while (p < end) {
    const byte = <u32>load<u8>(p);
    if (letterByte(p, byte, alphabet) == 0xffff) return false;
    p += byte < 0x80 ? 1 : 2;
  }
  return true;
}

function unwrapLetters(p: usize, end: usize, to: usize, alphabet: usize): usize {
  while (p < end) {
    const byte = <u32>load<u8>(p);
    store<u8>(to++, letterByte(p, byte, alphabet));
    p += byte < 0x80 ? 1 : 2;
  }
  return to;
}

function unwrapMarks(p: usize, end: usize, to: usize): usize {
  while (p < end) {
    const mark = p + 3 <= end && (load<u32>(p) & 0xffffff) == 0x8196e2;
    store<u8>(to++, mark ? 0x20 : load<u8>(p));
    p += mark ? 3 : 1;
  }
  return to;
}

/**
 * Reads a list of `Engine.tokens` strings in place: fills `starts`, leaves at `blob` the bytes of those that text can form,
 * which are of type normal and unused. `types`: u8 each, GGUF's numbers. Sets CROSSING in the flags, where spaces are not letters of an alphabet.
 */
export function text_tokens(engine: usize, list: usize, types: usize, alphabet: usize): void {
  const e = changetype<Engine>(engine);
  e.blob = list;
  let to = list;
  let p = list;
  for (let id: u32 = 0; id < e.tokens; id++) {
    const end = p + PREFIX + <usize>load<u32>(p);
    const type = load<u8>(types + id);
    store<u32>(e.starts + ((<usize>id) << 2), <u32>(to - list));
    if (type == NORMAL || type == UNUSED) {
      const from = to;
      to = unwrap(e, p + PREFIX, end, to, alphabet);
      if (!alphabet && crosses(from, to)) e.flags |= CROSSING;
    }
    p = end;
  }
  store<u32>(e.starts + ((<usize>e.tokens) << 2), <u32>(to - list));
}

/** Is there a space behind something else? */
function crosses(p: usize, end: usize): bool {
  for (let space = true; p < end; p++) {
    const next = load<u8>(p) == 0x20;
    if (next && !space) return true;
    space = next;
  }
  return false;
}

/** Makes ranks of the tokens' scores (f32) at Engine.ranks, in place: the higher the score, the lower the rank. NaN counts as -Infinity. */
export function text_ranks(engine: usize): void {
  const e = changetype<Engine>(engine);
  for (let at = e.ranks, end = at + ((<usize>e.tokens) << 2); at < end; at += 4) {
    const score = load<f32>(at);
    const bits = score == score ? reinterpret<u32>(score + 0) : 0xff800000; // -0 is 0
    store<u32>(at, bits >> 31 ? bits : ~(bits | 0x80000000)); // of negative numbers, bits grow as they fall
  }
}

/** Bytes of the longest token, at least 1. */
export function text_longest(engine: usize): u32 {
  const e = changetype<Engine>(engine);
  let longest: u32 = 1;
  for (let at = e.starts, end = at + ((<usize>e.tokens) << 2); at < end; at += 4) longest = max(longest, load<u32>(at, 4) - load<u32>(at));
  return longest;
}

/** Fills the token table (zeroed, with more slots than tokens), the filter (zeroed) and the powers. Of equal tokens the first counts. */
export function text_index(engine: usize): void {
  const e = changetype<Engine>(engine);
  let power: u32 = 1;
  for (let i: u32 = 0; i <= e.maxLength; i++) {
    store<u32>(e.powers + ((<usize>i) << 2), power);
    power *= HASH_BASE;
  }
  for (let id: u32 = 0; id < e.tokens; id++) {
    const at = e.starts + ((<usize>id) << 2);
    const p = e.blob + <usize>load<u32>(at);
    const end = e.blob + <usize>load<u32>(at, 4);
    if (p == end) continue;
    const hash = hashBytes(p, end);
    if (findHashed(e, p, end - p, hash) != NONE) continue;
    const place = spread(hash);
    const bits = e.filter + ((<usize>(place & e.filterMask)) >> 5 << 2);
    store<u32>(bits, load<u32>(bits) | (1 << (place & 31)));
    let slot = place & e.tableMask;
    while (load<u32>(e.table + ((<usize>slot) << 4), 12) != 0) slot = (slot + 1) & e.tableMask;
    const entry = e.table + ((<usize>slot) << 4);
    store<u64>(entry, tokenKey(p, end - p, hash));
    if (end - p > 8) store<u32>(entry, <u32>p, 4);
    store<u32>(entry, <u32>(end - p), 8);
    store<u32>(entry, id + 1, 12);
  }
}

/** The token of `length` bytes at `p`, or NONE. */
export function text_find(engine: usize, p: usize, length: usize): u32 {
  return findBytes(changetype<Engine>(engine), p, p + length);
}

/**
 * Reads a list of merges into `pairs` (all NONE). A merge is "left right" (`joined`), or two strings.
 * Ranks count from 0. Merges whose parts or product are no tokens are left out.
 */
export function text_merges(engine: usize, list: usize, merges: u32, joined: bool, alphabet: usize): void {
  const e = changetype<Engine>(engine);
  let next = list;
  for (let rank: u32 = 0; rank < merges; rank++) {
    const p = next + PREFIX;
    let middle = p + <usize>load<u32>(next);
    let second = middle;
    if (joined) {
      next = middle;
      for (middle = p + 1; middle < next && load<u8>(middle) != 0x20; ) middle++;
      second = middle + 1;
    } else {
      second = middle + PREFIX;
      next = second + <usize>load<u32>(middle);
    }
    if (second <= next) addMerge(e, p, middle, second, next, alphabet, rank);
  }
}

function addMerge(e: Engine, p: usize, middle: usize, second: usize, end: usize, alphabet: usize, rank: u32): void {
  const leftEnd = unwrap(e, p, middle, p, alphabet);
  const productEnd = unwrap(e, second, end, leftEnd, alphabet);
  const left = findBytes(e, p, leftEnd);
  const right = findBytes(e, leftEnd, productEnd);
  const product = findBytes(e, p, productEnd);
  if (left == NONE || right == NONE || product == NONE) return;
  const slot = findPair(e, left, right);
  if (load<u32>(slot) != NONE) return;
  store<u32>(slot, left);
  store<u32>(slot, right, 4);
  store<u32>(slot, rank, 8);
  store<u32>(slot, product, 12);
}

/** Fills Engine.bytePairs, 65,536 pairs of words, from the tables; `scratch` is room for two bytes. */
export function text_byte_pairs(engine: usize, scratch: usize): void {
  const e = changetype<Engine>(engine);
  for (let pair: u32 = 0; pair < 65536; pair++) {
    store<u64>(scratch, pair);
    let rank: u32 = NONE;
    let id: u32 = NONE;
    if (e.pairs) {
      const slot = findPair(e, load<u32>(e.bytes + ((<usize>(pair & 255)) << 2)), load<u32>(e.bytes + ((<usize>(pair >> 8)) << 2)));
      if (load<u32>(slot) != NONE) {
        rank = load<u32>(slot, 8);
        id = load<u32>(slot, 12);
      }
    } else {
      id = findBytes(e, scratch, scratch + 2);
      if (id != NONE) rank = e.ranks ? load<u32>(e.ranks + ((<usize>id) << 2)) : id;
    }
    store<u32>(e.bytePairs + ((<usize>pair) << 3), rank);
    store<u32>(e.bytePairs + ((<usize>pair) << 3), id, 4);
  }
}
