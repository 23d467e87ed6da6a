import { Engine, HASH_BASE, NONE } from './engine';

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

// @ts-ignore: decorator
@inline
function sameBytes(a: usize, b: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}

/** The token whose bytes are [p, p + length), given their polynomial hash; NONE if there is none. */
export function findHashed(e: Engine, p: usize, length: usize, hash: u32): u32 {
  let slot = spread(hash) & e.tableMask;
  while (true) {
    const entry = e.table + ((<usize>slot) << 3);
    const id = load<u32>(entry, 4);
    if (id == 0) return NONE;
    if (load<u32>(entry) == hash) {
      const start = e.starts + ((<usize>(id - 1)) << 2);
      const from = <usize>load<u32>(start);
      if (<usize>load<u32>(start, 4) - from == length && sameBytes(e.blob + from, p, length)) return id - 1;
    }
    slot = (slot + 1) & e.tableMask;
  }
}

export function findBytes(e: Engine, p: usize, end: usize): u32 {
  return end - p > <usize>e.maxLength ? NONE : findHashed(e, p, end - p, hashBytes(p, end));
}

// @ts-ignore: decorator
@inline
function pairSlot(left: u32, right: u32, mask: u32): u32 {
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

/** End of the string at `p` of a list divided by `separator`: the three bytes of a character that no string holds. */
function stringEnd(p: usize, end: usize, separator: u32): usize {
  while (p < end && (load<u32>(p) & 0xffffff) != separator) p++;
  return p;
}

/**
 * Writes the bytes that the string [p, end) stands for at `to` (never ahead of `p`) and returns their end.
 * `alphabet`: 384 u16, the byte of each character of GPT-2's byte alphabet or 0xffff; 0: bytes as they are.
 * A string with a character outside the alphabet is taken as it is.
 */
function unwrap(p: usize, end: usize, to: usize, alphabet: usize): usize {
  let plain = alphabet == 0;
  for (let q = p; q < end && !plain; ) {
    const byte = <u32>load<u8>(q);
    const code = byte < 0x80 ? byte : byte < 0xc6 ? ((byte & 31) << 6) | (load<u8>(q, 1) & 63) : 383;
    plain = load<u16>(alphabet + ((<usize>code) << 1)) == 0xffff;
    q += byte < 0x80 ? 1 : 2;
  }
  if (plain) {
    memory.copy(to, p, end - p);
    return to + (end - p);
  }
  while (p < end) {
    const byte = <u32>load<u8>(p);
    const code = byte < 0x80 ? byte : ((byte & 31) << 6) | (load<u8>(p, 1) & 63);
    store<u8>(to++, load<u8>(alphabet + ((<usize>code) << 1)));
    p += byte < 0x80 ? 1 : 2;
  }
  return to;
}

/** Reads `tokens` strings of a divided list in place: fills `starts`, leaves the bytes at `blob`. Returns how many it found. */
export function text_tokens(engine: usize, list: usize, listEnd: usize, separator: u32, alphabet: usize): u32 {
  const e = changetype<Engine>(engine);
  e.blob = list;
  let to = list;
  let count: u32 = 0;
  for (let p = list; p <= listEnd; count++) {
    const end = stringEnd(p, listEnd, separator);
    if (count < e.tokens) store<u32>(e.starts + ((<usize>count) << 2), <u32>(to - list));
    to = unwrap(p, end, to, alphabet);
    p = end + 3;
  }
  store<u32>(e.starts + ((<usize>e.tokens) << 2), <u32>(to - list));
  return count;
}

/** Fills the token table (zeroed, with more slots than tokens) and the powers. Of equal tokens the first counts. */
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
    let slot = spread(hash) & e.tableMask;
    while (load<u32>(e.table + ((<usize>slot) << 3), 4) != 0) slot = (slot + 1) & e.tableMask;
    store<u32>(e.table + ((<usize>slot) << 3), hash);
    store<u32>(e.table + ((<usize>slot) << 3), id + 1, 4);
  }
}

/** The token of `length` bytes at `p`, or NONE. */
export function text_find(engine: usize, p: usize, length: usize): u32 {
  return findBytes(changetype<Engine>(engine), p, p + length);
}

/**
 * Reads a divided list of merges into `pairs` (all NONE). A merge is "left right" (`joined`), or two strings.
 * Ranks count from 0. Merges whose parts or product are no tokens are left out.
 * Returns the number of merges read; Engine.need is the number left out.
 */
export function text_merges(engine: usize, list: usize, listEnd: usize, separator: u32, alphabet: usize, joined: bool): u32 {
  const e = changetype<Engine>(engine);
  let rank: u32 = 0;
  e.need = 0;
  for (let p = list; p <= listEnd; rank++) {
    let end = stringEnd(p, listEnd, separator);
    let middle = end;
    let second = end + 3;
    if (joined) {
      for (middle = p + 1; middle < end && load<u8>(middle) != 0x20; ) middle++;
      second = middle + 1;
    } else end = second <= listEnd ? stringEnd(second, listEnd, separator) : second;
    if (second > end) e.need++;
    else if (!addMerge(e, p, middle, second, end, alphabet, rank)) e.need++;
    p = end + 3;
  }
  return rank;
}

function addMerge(e: Engine, p: usize, middle: usize, second: usize, end: usize, alphabet: usize, rank: u32): bool {
  const leftEnd = unwrap(p, middle, p, alphabet);
  const productEnd = unwrap(second, end, leftEnd, alphabet);
  const left = findBytes(e, p, leftEnd);
  const right = findBytes(e, leftEnd, productEnd);
  const product = findBytes(e, p, productEnd);
  if (left == NONE || right == NONE || product == NONE) return false;
  const slot = findPair(e, left, right);
  if (load<u32>(slot) != NONE) return true;
  store<u32>(slot, left);
  store<u32>(slot, right, 4);
  store<u32>(slot, rank, 8);
  store<u32>(slot, product, 12);
  return true;
}
