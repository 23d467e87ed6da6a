/**
 * A packed group of 8 rows unpacked to what the GEMM tiles read: a panel, unpacked once and used for every token.
 * Dequantised values are ggml's, bit for bit: scale x (code - offset), or scale x code + minimum, each step rounded to f32
 * (q6_K: the scale is d x sixteenth, rounded).
 */
import { RELAXED, SIMD } from '../lanes';
import { Narrow, Signed } from '../kernels/dot';
import { NIBBLES, codeAt, highCodes, highPlane, lowCodes, lowPlane, nextPlane } from './codes';
import { bfloats, halfToFloat, halves, pairOffset } from './half';
import { minima, minimumAt, scaleAt, scales, sixteenthAt, sixteenths, smallScales } from './scales';
import {
  BFloat16, BLOCK, Float32, GROUP, HALF_HEADER, Half, Q6_K, Q8_0, codeBytes, hasMinimum, headerBytes, highBits, is, isFloat, offset, subs, superBytes, supers,
} from './types';

/** The value at `row` (0..7), `column` of a packed group. */
// @ts-ignore: decorator
@inline export function valueAt<W>(group: usize, row: usize, column: usize): f32 {
  if (is<W, Float32>()) return load<f32>(group + (column << 5) + (row << 2));
  if (is<W, Half>()) return halfToFloat(load<u16>(group + (column << 4) + pairOffset(row), HALF_HEADER));
  if (is<W, BFloat16>()) return reinterpret<f32>(<u32>load<u16>(group + (column << 4) + pairOffset(row)) << 16);
  const block = column >> 5, sub = block & (subs<W>() - 1);
  const head = group + block / subs<W>() * superBytes<W>();
  return blockValue<W>(head, sub, row, column & 31);
}

// @ts-ignore: decorator
@inline function blockValue<W>(head: usize, sub: usize, row: usize, column: usize): f32 {
  const code = <f32>(codeAt<W>(head + headerBytes<W>() + sub * codeBytes<W>(), row, column) - offset<W>());
  const scale = scaleAt<W>(head, sub, row);
  if (is<W, Q6_K>()) return scale * <f32>sixteenthAt(head, sub, column >> 4, row) * code;
  return hasMinimum<W>() ? scale * code + minimumAt<W>(head, sub, row) : scale * code;
}

/** Unpacks a group to f32: k columns of 8 rows, 32 bytes each. */
export function unpackFloats<W>(panel: usize, group: usize, k: i32): void {
  if (!SIMD) {
    for (let column: usize = 0; column < <usize>k; column++) {
      for (let row: usize = 0; row < <usize>GROUP; row++) store<f32>(panel + (column << 5) + (row << 2), valueAt<W>(group, row, column));
    }
  } else if (isFloat<W>()) unpackPairs<W>(panel, is<W, Half>() ? group + HALF_HEADER : group, k);
  else {
    for (let s = 0; s < supers<W>(k); s++) {
      for (let sub: usize = 0; sub < subs<W>(); sub++) {
        unpackHalf<W>(panel, group, sub, 0);
        unpackHalf<W>(panel + 16, group, sub, 1);
        panel += BLOCK << 5;
      }
      group += superBytes<W>();
    }
  }
}

// @ts-ignore: decorator
@inline function unpackPairs<W>(panel: usize, pairs: usize, k: i32): void {
  for (let column = 0; column < k; column++) {
    const pair = v128.load(pairs);
    v128.store(panel, is<W, Half>() ? halves(pair, 0) : bfloats(pair, 0));
    v128.store(panel, is<W, Half>() ? halves(pair, 1) : bfloats(pair, 1), 16);
    pairs += 16;
    panel += 32;
  }
}

/** Rows 4 * half.. of one block. */
// @ts-ignore: decorator
@inline function unpackHalf<W>(panel: usize, head: usize, sub: usize, half: i32): void {
  const codes = head + headerBytes<W>() + sub * codeBytes<W>();
  const small = smallScales<W>(head, sub), d = scales<W>(head, small, half), minimum = minima<W>(head, small, half);
  const lowScale = is<W, Q6_K>() ? f32x4.mul(d, f32x4.convert_i32x4_s(sixteenths(small, 0, half))) : d;
  const highScale = is<W, Q6_K>() ? f32x4.mul(d, f32x4.convert_i32x4_s(sixteenths(small, 1, half))) : d;
  let low = lowPlane<W>(codes, half), high = highPlane<W>(codes, half, low), at = codes + (<usize>half << 4);
  const nibble = v128.load64_splat(NIBBLES), mask = v128.load64_splat(NIBBLES, 8 * highBits<W>());
  for (let i = 0; i < 4; i++) {
    const raw = v128.load(at);
    unpackChunk<W>(panel, lowCodes<W>(raw, low, nibble, mask), lowScale, minimum);
    unpackChunk<W>(panel + 512, highCodes<W>(raw, at, high, nibble, mask), highScale, minimum);
    low = nextPlane<W>(low);
    high = nextPlane<W>(high);
    at += 32;
    panel += 128;
  }
}

/** Four columns of four rows. */
// @ts-ignore: decorator
@inline function unpackChunk<W>(panel: usize, codes: v128, scale: v128, minimum: v128): void {
  const mask = i32x4.splat(255);
  v128.store(panel, dequantised<W>(v128.and(codes, mask), scale, minimum));
  v128.store(panel, dequantised<W>(v128.and(i32x4.shr_u(codes, 8), mask), scale, minimum), 32);
  v128.store(panel, dequantised<W>(v128.and(i32x4.shr_u(codes, 16), mask), scale, minimum), 64);
  v128.store(panel, dequantised<W>(i32x4.shr_u(codes, 24), scale, minimum), 96);
}

// @ts-ignore: decorator
@inline function dequantised<W>(code: v128, scale: v128, minimum: v128): v128 {
  if (hasMinimum<W>()) return f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(code), scale), minimum);
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(code, i32x4.splat(offset<W>()))), scale);
}

/**
 * The integer panel: per block f32 scale[8], f32 minimum[8], then PANEL_STEPS steps of 32 bytes, rows 0..3 and 4..7.
 * Relaxed: a step is a chunk of unsigned codes (4 columns x 8 rows, bytes); for q6_K after i32 sixteenth[2][8]; for
 * q8_0 on machines that add in pairs (dot.ts) low nibbles, then as many steps of high nibbles.
 * Plain simd: an i16 pair of columns, even bytes of a chunk, then odd; the offset is taken off, q6_K's sixteenths
 * are multiplied in (at most 13 bits), so one tile serves every type.
 */
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
