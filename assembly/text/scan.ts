import { CROSSING, Engine, ISOLATED_DIGITS, SINGLE_DIGITS, TAIL_SPACES } from './engine';

/**
 * Hand-written pre-tokenizers over UTF-8, equal to the regular expressions of src/text/patterns.ts (a fuzz holds
 * them equal). Each takes the start of a piece and gives its end; `reached` tells how far it looked.
 */

// Engine.scanner
export const SCAN_WHOLE: u32 = 0; // no split at all
export const SCAN_SPACES: u32 = 1; // before each run of spaces (SentencePiece words), or not at all where a token crosses one
export const SCAN_GPT2: u32 = 2;
export const SCAN_CL100K: u32 = 3; // also Llama 3 and Qwen 2
export const SCAN_O200K: u32 = 4;

// Class bits of a code point, filled in by src/text/classes.ts
const UPPER: u32 = 1; // Lu, Lt
const LOWER: u32 = 2; // Ll
const OTHER_LETTER: u32 = 4; // Lm, Lo
const MARK: u32 = 8; // M
const NUMBER: u32 = 16; // N
const SPACE: u32 = 32; // White_Space
const NEWLINE: u32 = 64; // \r \n
const OTHER: u32 = 128; // neither letter, number nor white space
const LETTER: u32 = UPPER | LOWER | OTHER_LETTER;
/** [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and [\p{Ll}\p{Lm}\p{Lo}\p{M}] */
const HEAD: u32 = UPPER | OTHER_LETTER | MARK;
const TAIL: u32 = LOWER | OTHER_LETTER | MARK;

/** How far the last scan looked: what follows might have changed it if this is the end of the window. */
export let reached: usize = 0;
/** Page number + 1 of a code point whose classes are not known yet: the scan must be done again. */
export let missing: u32 = 0;

export function forgetMissing(): void {
  missing = 0;
}

/** Class of the character at `p`, its length in bits 8 and up. */
// @ts-ignore: decorator
@inline
function classAt(e: Engine, p: usize): u32 {
  const byte = <u32>load<u8>(p);
  return byte < 0x80 ? (<u32>load<u8>(e.latin + byte)) | 0x100 : wideClass(e, p, byte);
}

function wideClass(e: Engine, p: usize, byte: u32): u32 {
  let code: u32;
  let length: u32;
  if (byte < 0xe0) {
    code = ((byte & 31) << 6) | (load<u8>(p, 1) & 63);
    length = 0x200;
  } else if (byte < 0xf0) {
    code = ((byte & 15) << 12) | ((<u32>load<u8>(p, 1) & 63) << 6) | (load<u8>(p, 2) & 63);
    length = 0x300;
  } else {
    code = ((byte & 7) << 18) | ((<u32>load<u8>(p, 1) & 63) << 12) | ((<u32>load<u8>(p, 2) & 63) << 6) | (load<u8>(p, 3) & 63);
    length = 0x400;
  }
  const page = load<u32>(e.pages + ((<usize>(code >> 8)) << 2));
  if (page == 0) {
    missing = (code >> 8) + 1;
    return OTHER | length;
  }
  return (<u32>load<u8>(page + (code & 255))) | length;
}

/** End of the run of characters that have one of the class bits in `mask`. */
// @ts-ignore: decorator
@inline
function runOf(e: Engine, p: usize, end: usize, mask: u32): usize {
  while (p < end) {
    const found = classAt(e, p);
    if (!(found & mask)) break;
    p += found >> 8;
  }
  reached = p;
  return p;
}

const ONES: u64 = 0x0101010101010101;
const HIGHS: u64 = 0x8080808080808080;

/** How many of the 8 bytes at `p` are ASCII letters, up to the first that is not; `fold`: of either case, else small ones. */
// @ts-ignore: decorator
@inline
function asciiLetters(p: usize, fold: bool): usize {
  const bytes = load<u64>(p);
  const low = (bytes | (fold ? ONES * 0x20 : 0)) & ~HIGHS;
  // The top bit of each byte: at least 'a', but not beyond 'z', and ASCII at all.
  const letters = (low + ONES * 0x1f) & ~(low + ONES * 0x05) & ~bytes & HIGHS;
  return <usize>(ctz<u64>(letters ^ HIGHS) >> 3);
}

/** runOf for letters: eight ASCII letters at a time. */
// @ts-ignore: decorator
@inline
function lettersEnd(e: Engine, p: usize, end: usize): usize {
  while (true) {
    const count = asciiLetters(p, true);
    p += count;
    if (count == 8 && p < end) continue;
    if (p >= end) p = end;
    else if (load<u8>(p) >= 0x80) {
      const found = wideClass(e, p, load<u8>(p));
      if (found & LETTER) {
        p += found >> 8;
        if (p < end) continue;
      }
    }
    reached = p;
    return p;
  }
}

/** (?i:'s|'t|'re|'ve|'m|'ll|'d) at the apostrophe `p`: its end, or `p`. With `exact`, small letters only. */
function contraction(p: usize, end: usize, exact: bool): usize {
  reached = max(reached, min(end, p + 3));
  if (p + 1 >= end) return p;
  const first = <u32>load<u8>(p, 1) | (exact ? 0 : 32);
  if (first == 0x73 || first == 0x74 || first == 0x6d || first == 0x64) return p + 2; // s t m d
  if (p + 2 >= end) return p;
  const raw = <u32>load<u8>(p, 1);
  const second = <u32>load<u8>(p, 2);
  if (!exact && raw == 0xc5 && second == 0xbf) return p + 3; // U+017F folds to s
  const other = second | (exact ? 0 : 32);
  if (first == 0x72 || first == 0x76) return other == 0x65 ? p + 3 : p; // re ve
  return first == 0x6c && other == 0x6c ? p + 3 : p; // ll
}

/** White space at `p`: \s+(?!\S)|\s+, with `stop` the class that counts as the end of the text. */
function spacesEnd(e: Engine, p: usize, end: usize, stop: u32): usize {
  let last = p;
  let q = p;
  while (q < end) {
    const found = classAt(e, q);
    if (!(found & SPACE)) {
      reached = q + 1;
      return (found & stop) != 0 || last == p ? q : last;
    }
    last = q;
    q += found >> 8;
  }
  reached = q;
  return q;
}

/** 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
function scanGpt2(e: Engine, p: usize, end: usize): usize {
  const isolated = (e.flags & ISOLATED_DIGITS) != 0;
  let found = classAt(e, p);
  if (load<u8>(p) == 0x27) {
    const stop = contraction(p, end, true);
    if (stop != p) return stop;
  }
  let q = p;
  if (load<u8>(p) == 0x20) {
    reached = p + 1;
    if (p + 1 >= end) return p + 1;
    found = classAt(e, ++q);
  }
  if (found & LETTER) return lettersEnd(e, q, end);
  if (found & NUMBER) {
    if (!isolated) return runOf(e, q, end, NUMBER);
    reached = q;
    return q == p ? q + (found >> 8) : q;
  }
  if (found & OTHER) return runOf(e, q, end, OTHER);
  return spacesEnd(e, p, end, isolated ? NUMBER : 0);
}

/** \p{N}{1,3} or \p{N} */
function digitsEnd(e: Engine, p: usize, end: usize): usize {
  const most = e.flags & SINGLE_DIGITS ? 1 : 3;
  for (let i = 0; i < most && p < end; i++) {
    const found = classAt(e, p);
    if (!(found & NUMBER)) break;
    p += found >> 8;
  }
  reached = p;
  return p;
}

/** What cl100k and o200k share: ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`; `slash`: [\r\n/]*. */
function scanRest(e: Engine, p: usize, end: usize, slash: bool): usize {
  let q = p;
  let found = classAt(e, p);
  if (load<u8>(p) == 0x20 && p + 1 < end) found = classAt(e, ++q);
  if (found & OTHER) {
    q = runOf(e, q, end, OTHER);
    while (q < end) {
      const byte = load<u8>(q);
      if (byte != 0x0a && byte != 0x0d && !(slash && byte == 0x2f)) break;
      q++;
    }
    reached = q;
    return q;
  }
  const stop = runOf(e, p, end, SPACE);
  if (stop == end && e.flags & TAIL_SPACES) return end;
  for (q = stop; q > p; q--) if (load<u8>(q - 1) == 0x0a || load<u8>(q - 1) == 0x0d) return q;
  return spacesEnd(e, p, end, 0);
}

/** (?i:'s|…)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| … */
function scanCl100k(e: Engine, p: usize, end: usize): usize {
  const found = classAt(e, p);
  if (found & LETTER) return lettersEnd(e, p, end);
  if (found & NUMBER) return digitsEnd(e, p, end);
  if (load<u8>(p) == 0x27) {
    const stop = contraction(p, end, false);
    if (stop != p) return stop;
  }
  if (!(found & NEWLINE)) {
    const q = p + (found >> 8);
    if (q < end && classAt(e, q) & LETTER) return lettersEnd(e, q, end);
  }
  return scanRest(e, p, end, false);
}

/**
 * One word of o200k without its contraction, from behind the optional leading character:
 * HEAD*TAIL+ or, where that fails, HEAD+TAIL*. Gives `p` when there is none. HEAD* takes all it can and gives back
 * until TAIL+ has a character, so the match ends with the TAIL run, or behind the last TAIL character of the HEAD run.
 */
function casedWord(e: Engine, p: usize, end: usize, first: bool): usize {
  let q = p;
  let lastTail: usize = 0;
  while (q < end) {
    const found = classAt(e, q);
    if (!(found & HEAD)) break;
    q += found >> 8;
    if (found & TAIL) lastTail = q;
  }
  reached = q;
  if (q < end && classAt(e, q) & LOWER) return runOf(e, min(end, q + asciiLetters(q, false)), end, TAIL);
  return lastTail ? lastTail : first ? p : q;
}

function scanO200k(e: Engine, p: usize, end: usize): usize {
  const found = classAt(e, p);
  if (found & NUMBER) return digitsEnd(e, p, end);
  let stop = p;
  if (found & LETTER) {
    stop = casedWord(e, p, end, false);
  } else if (!(found & NEWLINE)) {
    const q = p + (found >> 8);
    stop = casedWord(e, q, end, true);
    if (stop == q) stop = found & MARK ? casedWord(e, p, end, true) : casedWord(e, q, end, false);
    if (stop == q && !(found & MARK)) stop = p;
  }
  if (stop == p) return scanRest(e, p, end, true);
  const looked = reached;
  if (stop < end && load<u8>(stop) == 0x27) stop = contraction(stop, end, false);
  reached = max(reached, looked);
  return stop;
}

function scanSpaces(p: usize, end: usize): usize {
  while (p < end && load<u8>(p) == 0x20) p++;
  while (p < end) {
    const other = load<u64>(p) ^ (ONES * 0x20);
    const spaces = (other - ONES) & ~other & HIGHS; // the lowest bit set marks the first space
    p += spaces ? <usize>(ctz<u64>(spaces) >> 3) : 8;
    if (spaces) break;
  }
  reached = p = min(p, end);
  return p;
}

/** End of the piece that starts at `p`. */
// @ts-ignore: decorator
@inline
export function scan(e: Engine, p: usize, end: usize): usize {
  reached = p;
  switch (e.scanner) {
    case SCAN_SPACES:
      return e.flags & CROSSING ? (reached = end) : scanSpaces(p, end);
    case SCAN_GPT2:
      return scanGpt2(e, p, end);
    case SCAN_CL100K:
      return scanCl100k(e, p, end);
    case SCAN_O200K:
      return scanO200k(e, p, end);
    default:
      reached = end;
      return end;
  }
}
