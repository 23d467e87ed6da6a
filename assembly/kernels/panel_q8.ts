/**
 * A packed group of 8 rows unpacked to what the int8 GEMM tiles read: a panel, unpacked once and used for every
 * token. Per block f32 scale[8], f32 minimum[8], then PANEL_STEPS steps of 32 bytes, rows 0..3 and 4..7.
 * Relaxed: a step is a chunk of unsigned codes (4 columns x 8 rows, bytes); for q6_K after i32 sixteenth[2][8]; for
 * q8_0 on machines that add in pairs (dot.ts) low nibbles, then as many steps of high nibbles.
 * Plain simd: an i16 pair of columns, even bytes of a chunk, then odd; the offset is taken off, q6_K's sixteenths
 * are multiplied in (at most 13 bits), so one tile serves every type.
 */
import { RELAXED } from '../lanes';
import { NIBBLES, highCodes, highPlane, lowCodes, lowPlane, nextPlane } from '../weights/codes';
import { minima, scales, sixteenths, smallScales } from '../weights/scales';
import { Q6_K, Q8_0, codeBytes, headerBytes, highBits, is, offset, subs, superBytes, supers } from '../weights/types';
import { Narrow, Signed } from './dot';

export const PANEL_HEADER: usize = 64;
export const PANEL_STEPS: i32 = RELAXED ? 8 : 16;

// @ts-ignore: decorator
@inline export function panelCodes<W>(): usize { return PANEL_HEADER + (RELAXED && is<W, Q6_K>() ? 64 : 0); }

// @ts-ignore: decorator
@inline function splitNibbles<W, D>(): bool { return RELAXED && is<W, Q8_0>() && is<D, Narrow>(); }

// @ts-ignore: decorator
@inline export function panelBlock<W, D>(): usize {
  return panelCodes<W>() + (<usize>PANEL_STEPS << (splitNibbles<W, D>() ? 6 : 5));
}

/** Unpacks a group to the integer panel that suits the dot D. */
export function unpackCodes<W, D>(panel: usize, group: usize, k: i32): void {
  for (let s = 0; s < supers<W>(k); s++) {
    for (let sub: usize = 0; sub < subs<W>(); sub++) {
      unpackCodesHalf<W, D>(panel, group, sub, 0);
      unpackCodesHalf<W, D>(panel, group, sub, 1);
      panel += panelBlock<W, D>();
    }
    group += superBytes<W>();
  }
}

// @ts-ignore: decorator
@inline function unpackCodesHalf<W, D>(panel: usize, head: usize, sub: usize, half: i32): void {
  const shift = <usize>half << 4, codes = head + headerBytes<W>() + sub * codeBytes<W>();
  const small = smallScales<W>(head, sub);
  v128.store(panel + shift, scales<W>(head, small, half));
  v128.store(panel + shift, minima<W>(head, small, half), 32);
  const lowScale = is<W, Q6_K>() ? sixteenths(small, 0, half) : small;
  const highScale = is<W, Q6_K>() ? sixteenths(small, 1, half) : small;
  if (RELAXED && is<W, Q6_K>()) {
    v128.store(panel + shift, lowScale, PANEL_HEADER);
    v128.store(panel + shift, highScale, PANEL_HEADER + 32);
  }
  let low = lowPlane<W>(codes, half), high = highPlane<W>(codes, half, low), at = codes + shift, to = panel + shift + panelCodes<W>();
  const nibble = v128.load64_splat(NIBBLES), mask = v128.load64_splat(NIBBLES, 8 * highBits<W>());
  for (let i = 0; i < 4; i++) {
    const raw = v128.load(at);
    storeSteps<W, D>(to, lowCodes<W>(raw, low, nibble, mask), lowScale);
    storeSteps<W, D>(to + (RELAXED ? 128 : 256), highCodes<W>(raw, at, high, nibble, mask), highScale);
    low = nextPlane<W>(low);
    high = nextPlane<W>(high);
    at += 32;
    to += RELAXED ? 32 : 64;
  }
}

/** One chunk: one step of bytes, or two of i16. */
// @ts-ignore: decorator
@inline function storeSteps<W, D>(to: usize, codes: v128, sixteenth: v128): void {
  if (!RELAXED) {
    v128.store(to, signed<W>(v128.and(codes, i16x8.splat(255)), sixteenth));
    v128.store(to, signed<W>(i16x8.shr_u(codes, 8), sixteenth), 32);
  } else if (splitNibbles<W, D>()) {
    v128.store(to, v128.and(codes, i8x16.splat(15)));
    v128.store(to, v128.and(i16x8.shr_u(codes, 4), i8x16.splat(15)), 256);
  } else v128.store(to, is<D, Signed>() ? v128.xor(codes, i8x16.splat(-128)) : codes);
}

// @ts-ignore: decorator
@inline function signed<W>(codes: v128, sixteenth: v128): v128 {
  const value = offset<W>() ? i16x8.sub(codes, i16x8.splat(<i16>offset<W>())) : codes;
  if (!is<W, Q6_K>()) return value;
  // Both i16 lanes of a row carry its scale.
  return i16x8.mul(value, v128.or(v128.and(sixteenth, i32x4.splat(0xFFFF)), i32x4.shl(sixteenth, 16)));
}
