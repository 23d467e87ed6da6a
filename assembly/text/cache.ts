import { Engine } from './engine';
import { sameBytes } from './vocabulary';

/**
 * Words already encoded. A slot of 32 bytes:
 *   0  u64  bytes 0-7 of the word, zero-padded    (longer than 16 bytes: a 64-bit hash of the word)
 *   8  u64  bytes 8-15                            (… the address of its bytes in the arena)
 *  16  u16  length in bytes, 0 when free
 *  18  u16  number of ids
 *  20  u32 x 3  the ids, or in the first place the address of more than three in the arena
 * When table or arena is full, all is forgotten.
 */
const SLOT_SHIFT: usize = 5;
const LONGEST: usize = 256;
const C1: u64 = 0x9e3779b97f4a7c15;
const C2: u64 = 0xbf58476d1ce4e5b9;

let first: u64 = 0;
let second: u64 = 0;

/** The first up to 8 bytes of a word as a number. Reads 8 bytes. */
// @ts-ignore: decorator
@inline
function head(p: usize, length: usize): u64 {
  return load<u64>(p) & (<u64>-1 >> (<u64>(8 - min<usize>(length, 8)) << 3));
}

/** Reads up to 7 bytes behind the word. */
export function hashWord(p: usize, length: usize): u64 {
  let hash: u64 = length;
  const end = p + length;
  for (; p + 8 <= end; p += 8) hash = (rotl<u64>(hash, 29) ^ load<u64>(p)) * C1;
  if (p < end) hash = (rotl<u64>(hash, 29) ^ head(p, end - p)) * C1;
  return hash ^ (hash >> 32);
}

/** Address of the slot of the word, taken or free; 0 if it is too long to be kept. */
// @ts-ignore: decorator
@inline
export function findWord(e: Engine, p: usize, length: usize): usize {
  if (length > 16) return findLongWord(e, p, length);
  first = head(p, length);
  second = length > 8 ? head(p + 8, length - 8) : 0;
  const mixed = (first ^ rotl<u64>(second * C2, 23)) * C1 + length;
  let slot = <u32>(mixed >> 40) & e.cacheMask;
  while (true) {
    const at = e.cache + ((<usize>slot) << SLOT_SHIFT);
    const have = <usize>load<u16>(at, 16);
    if (have == 0 || (have == length && load<u64>(at) == first && load<u64>(at, 8) == second)) return at;
    slot = (slot + 1) & e.cacheMask;
  }
}

function findLongWord(e: Engine, p: usize, length: usize): usize {
  if (length > LONGEST) return 0;
  first = hashWord(p, length);
  let slot = <u32>(first >> 40) & e.cacheMask;
  while (true) {
    const at = e.cache + ((<usize>slot) << SLOT_SHIFT);
    const have = <usize>load<u16>(at, 16);
    if (have == 0) return at;
    if (have == length && load<u64>(at) == first && sameBytes(<usize>load<u64>(at, 8), p, length)) return at;
    slot = (slot + 1) & e.cacheMask;
  }
}

/** Fills the free slot that `findWord` just gave for this word with the ids [ids, idsEnd). */
export function keepWord(e: Engine, slot: usize, p: usize, length: usize, ids: usize, idsEnd: usize): void {
  const many = idsEnd - ids > 12;
  const bytes = (length > 16 ? (length + 3) & ~3 : 0) + (many ? idsEnd - ids : 0);
  if (e.cached > (e.cacheMask >> 2) * 3 || e.arenaNext + bytes > e.arenaEnd) return forgetWords(e);
  if (length > 16) {
    memory.copy(e.arenaNext, p, length);
    second = e.arenaNext;
    e.arenaNext += (length + 3) & ~3;
  }
  store<u64>(slot, first);
  store<u64>(slot, second, 8);
  store<u16>(slot, <u16>length, 16);
  store<u16>(slot, <u16>((idsEnd - ids) >> 2), 18);
  if (many) {
    memory.copy(e.arenaNext, ids, idsEnd - ids);
    store<u32>(slot, <u32>e.arenaNext, 20);
    e.arenaNext += idsEnd - ids;
  } else {
    store<u64>(slot, load<u64>(ids), 20);
    store<u32>(slot, load<u32>(ids, 8), 28);
  }
  e.cached++;
}

function forgetWords(e: Engine): void {
  memory.fill(e.cache, 0, (<usize>e.cacheMask + 1) << SLOT_SHIFT);
  e.arenaNext = e.arena;
  e.cached = 0;
}

/** Writes the ids of a taken slot; up to 12 bytes behind them are overwritten. Returns their end. */
// @ts-ignore: decorator
@inline
export function writeWord(slot: usize, out: usize): usize {
  const count = <usize>load<u16>(slot, 18);
  if (count > 3) {
    const ids = <usize>load<u32>(slot, 20);
    for (let i: usize = 0; i < count; i += 2) store<u64>(out + (i << 2), load<u64>(ids + (i << 2)));
  } else {
    store<u64>(out, load<u64>(slot, 20));
    store<u32>(out, load<u32>(slot, 28), 8);
  }
  return out + (count << 2);
}
