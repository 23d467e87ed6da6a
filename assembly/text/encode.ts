import { findWord, keepWord, writeWord } from './cache';
import { DONE, Engine, IGNORE_MERGES, LOOK_AHEAD, NONE, OUT_FULL, PAGE_MISSING, SCRATCH_SMALL, SPACE_MARK } from './engine';
import { charLength, mergeWord, SCRATCH_BASE, SCRATCH_PER_BYTE } from './merge';
import { forgetMissing, missing, reached, scan } from './scan';
import { findBytes } from './vocabulary';

/** Room that writeWord may use beyond its ids. */
const SLACK: usize = 16;

/** Why the last word was not encoded. */
let refused: i32 = 0;

/** Encodes the word [p, end) to `out`; returns the end of the ids, or 0 with `refused` and Engine.need set. */
// @ts-ignore: decorator
@inline
function encodeWord(e: Engine, p: usize, end: usize, out: usize): usize {
  const slot = findWord(e, p, end - p);
  if (slot && load<u16>(slot, 16)) {
    const room = (<usize>load<u16>(slot, 18) << 2) + SLACK;
    return out + room <= e.outEnd ? writeWord(slot, out) : refuse(e, OUT_FULL, room);
  }
  return encodeNewWord(e, slot, p, end, out);
}

function refuse(e: Engine, status: i32, need: usize): usize {
  refused = status;
  e.need = <u32>need;
  return 0;
}

function encodeNewWord(e: Engine, slot: usize, p: usize, end: usize, out: usize): usize {
  const length = end - p;
  // One id a byte at most; but a space mark without a token of its own is three byte tokens.
  const room = length * (e.flags & SPACE_MARK ? 12 : 4) + SLACK;
  if (out + room > e.outEnd) return refuse(e, OUT_FULL, room);
  const scratch = length * SCRATCH_PER_BYTE + SCRATCH_BASE;
  if (scratch > e.scratchBytes) return refuse(e, SCRATCH_SMALL, scratch);
  const whole = e.flags & IGNORE_MERGES ? findBytes(e, p, end) : NONE;
  let next = out;
  if (whole != NONE) {
    store<u32>(out, whole);
    next += 4;
  } else next = mergeWord(e, p, end, out);
  if (slot) keepWord(e, slot, p, length, out, next);
  return next;
}

/**
 * Splits the window with the scanner and encodes its pieces, as far as they are sure; Engine.text and .out move on.
 * Call again after doing what the returned status asks for, or with more text behind what is left.
 */
export function text_encode(engine: usize): i32 {
  const e = changetype<Engine>(engine);
  const end = e.textEnd;
  let p = e.text;
  let out = e.out;
  let status = DONE;
  forgetMissing();
  while (p < end) {
    const stop = scan(e, p, end);
    if (missing) {
      e.need = missing;
      status = PAGE_MISSING;
      break;
    }
    if (!e.final && max(stop, reached) + LOOK_AHEAD > end) break;
    const next = encodeWord(e, p, stop, out);
    if (!next) {
      status = refused;
      break;
    }
    out = next;
    p = stop;
  }
  e.text = p;
  e.out = out;
  return status;
}

/** The same for pieces found elsewhere: `count` u32 at `spans`, the length of each in UTF-16 units. Starts at Engine.span, which moves on. */
export function text_encode_spans(engine: usize, spans: usize, count: u32): i32 {
  const e = changetype<Engine>(engine);
  let p = e.text;
  let out = e.out;
  let status = DONE;
  let i = e.span;
  for (; i < count; i++) {
    const stop = skipUnits(p, load<u32>(spans + ((<usize>i) << 2)));
    const next = encodeWord(e, p, stop, out);
    if (!next) {
      status = refused;
      break;
    }
    out = next;
    p = stop;
  }
  e.text = p;
  e.out = out;
  e.span = i;
  return status;
}

/** The place `units` UTF-16 code units behind `p`: a character of four bytes is two of them. */
function skipUnits(p: usize, units: u32): usize {
  while (units) {
    const length = charLength(load<u8>(p));
    p += length;
    units -= length == 4 ? 2 : 1;
  }
  return p;
}

/** Splits only: writes the length in bytes of each piece. Room at `out` for one word a byte. For tests of the scanners. */
export function text_split(engine: usize): i32 {
  const e = changetype<Engine>(engine);
  forgetMissing();
  while (e.text < e.textEnd) {
    const stop = scan(e, e.text, e.textEnd);
    if (missing) {
      e.need = missing;
      return PAGE_MISSING;
    }
    store<u32>(e.out, <u32>(stop - e.text));
    e.out += 4;
    e.text = stop;
  }
  return DONE;
}
