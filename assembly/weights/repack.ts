/**
 * File order (ggml-common.h: rows of blocks) to packed order (types.ts). Quantised values are moved, never changed.
 * Rows missing from the last group become zero rows: their scales are 0 (their codes repeat the last row).
 *
 * Of a type's class it takes the file's layout: fileBytes, scaleAt (and smallAt of superblocks), code(block, sub, column) by value, and as
 * vectors pairs(block, sub) for 4 bits (columns 0..15 in the low, 16..31 in the high halves), else codes(block, sub, half) of 16 columns.
 */
import { SIMD } from '../lanes';
import { putCode, storeChunks } from './codes';
import { halfToFloat } from './half';
import { toIntegers } from './integers';
import { rowAt } from './rows';
import { smallMinimumAt, smallScaleAt } from './scales';
import { low, high, even, odd, storeTransposed } from './transpose';
import {
  BLOCK, GROUP, codeBytes, groupHead, groupAt, hasIntegers, hasMinimum, hasSixteenths, hasSums, headerBytes, highBits, isBytes, isFloat, isPaired, subs,
  superBytes, supers, the,
} from './types';

/** repack_*: packs n rows of k columns from `src` (file order) to `dst`, group by group, of pairs both; a tensor may come in chunks of whole groups. */
// @ts-ignore: decorator
@inline export function repack<W>(dst: usize, src: usize, n: i32, k: i32): void {
  const rowBytes = <usize>(isFloat<W>() ? k : supers<W>(k)) * the<W>().fileBytes;
  const end = isPaired<W>() ? (n + 2 * GROUP - 1) / (2 * GROUP) * (2 * GROUP) : n;
  for (let row = 0; row < end; row += GROUP) {
    const to = groupAt<W>(dst, row / GROUP, k), rows = max(0, min(GROUP, n - row));
    if (isFloat<W>()) the<W>().pack(to, src, rows, k, rowBytes);
    else {
      packBlocks<W>(to + groupHead<W>(), src, rows, k, rowBytes);
      if (hasIntegers<W>()) toIntegers<W>(to, k);
    }
    src += rowBytes << 3;
  }
}

function packBlocks<W>(dst: usize, src: usize, rows: i32, k: i32, rowBytes: usize): void {
  for (let s = 0; s < supers<W>(k); s++) {
    packHeader<W>(dst, src, rows, rowBytes);
    const codes = dst + headerBytes<W>();
    for (let sub: usize = 0; sub < subs<W>(); sub++) {
      const to = codes + sub * codeBytes<W>();
      if (SIMD) packCodes<W>(to, src, sub, rows, rowBytes);
      else packCodesByByte<W>(to, src, sub, rows, rowBytes);
    }
    src += the<W>().fileBytes;
    dst += superBytes<W>();
  }
}

/** Layouts: scales.ts; scales that will be integers are left as f16. */
// @ts-ignore: decorator
@inline function packHeader<W>(head: usize, src: usize, rows: i32, rowBytes: usize): void {
  for (let row = 0; row < GROUP; row++) {
    const block = rowAt(src, row, rows, rowBytes);
    const present = row < rows ? 0xFFFF : 0;
    const scale = load<u16>(block + the<W>().scaleAt) & present;
    const minimum = hasMinimum<W>() ? load<u16>(block, 2) & present : 0;
    if (hasIntegers<W>()) store<u16>(head + (row << 1), scale);
    else store<f32>(head + (row << 2), halfToFloat(scale));
    if (hasMinimum<W>()) store<f32>(head + (row << 2), hasSums<W>() ? -halfToFloat(minimum) : halfToFloat(minimum), 32);
    if (hasSixteenths<W>()) packSixteenths(head + 32 + row, block + the<W>().smallAt);
    if (hasSums<W>()) packBlockScales(head, row, block + the<W>().smallAt);
  }
}

function packSixteenths(dst: usize, src: usize): void {
  for (let i: usize = 0; i < 16; i++) store<u8>(dst + (i << 3), load<u8>(src + i));
}

/** 12 bytes of 6-bit scales and minima (ggml-quants.c, get_scale_min_k4). */
function packBlockScales(head: usize, row: usize, src: usize): void {
  for (let i: usize = 0; i < 4; i++) {
    const first = load<u8>(src + i), second = load<u8>(src + i, 4), third = load<u8>(src + i, 8);
    store<u8>(smallScaleAt(head, i, row), first & 63);
    store<u8>(smallMinimumAt(head, i, row), second & 63);
    store<u8>(smallScaleAt(head, i + 4, row), third & 15 | first >> 6 << 4);
    store<u8>(smallMinimumAt(head, i + 4, row), third >> 4 | second >> 6 << 4);
  }
}

/** Layouts: codes.ts. One row's four columns make a word of the packed planes. */
// @ts-ignore: decorator
@inline function packCodesByByte<W>(dst: usize, src: usize, sub: usize, rows: i32, rowBytes: usize): void {
  memory.fill(dst, 0, codeBytes<W>());
  for (let row = 0; row < GROUP; row++) {
    const block = rowAt(src, row, rows, rowBytes);
    for (let column: usize = 0; column < <usize>BLOCK; column++) {
      const code = the<W>().code(block, sub, column);
      putCode<W>(dst, row, column, code);
    }
  }
}

// @ts-ignore: decorator
@inline function packCodes<W>(dst: usize, src: usize, sub: usize, rows: i32, rowBytes: usize): void {
  for (let half = 0; half < 2; half++) {
    const row = half << 2, to = dst + (<usize>half << 4);
    const a = rowAt(src, row, rows, rowBytes), b = rowAt(src, row + 1, rows, rowBytes);
    const c = rowAt(src, row + 2, rows, rowBytes), d = rowAt(src, row + 3, rows, rowBytes);
    if (isBytes<W>()) {
      storeTransposed(to, 32, codes<W>(a, sub, 0), codes<W>(b, sub, 0), codes<W>(c, sub, 0), codes<W>(d, sub, 0));
      storeTransposed(to + 128, 32, codes<W>(a, sub, 1), codes<W>(b, sub, 1), codes<W>(c, sub, 1), codes<W>(d, sub, 1));
    } else if (highBits<W>() == 0) {
      storeTransposed(to, 32, the<W>().pairs(a, sub), the<W>().pairs(b, sub), the<W>().pairs(c, sub), the<W>().pairs(d, sub));
    } else packTight<W>(to, sub, a, b, c, d);
  }
}

// @ts-ignore: decorator
@inline function codes<W>(block: usize, sub: usize, half: i32): v128 { return the<W>().codes(block, sub, half); }

/** Codes of 5 or 6 bits: eight chunks of four rows. */
// @ts-ignore: decorator
@inline function packTight<W>(to: usize, sub: usize, a: usize, b: usize, c: usize, d: usize): void {
  const a0 = codes<W>(a, sub, 0), b0 = codes<W>(b, sub, 0), c0 = codes<W>(c, sub, 0), d0 = codes<W>(d, sub, 0);
  const a1 = codes<W>(a, sub, 1), b1 = codes<W>(b, sub, 1), c1 = codes<W>(c, sub, 1), d1 = codes<W>(d, sub, 1);
  const ab = low(a0, b0), cd = low(c0, d0), abHigh = high(a0, b0), cdHigh = high(c0, d0);
  const ef = low(a1, b1), gh = low(c1, d1), efHigh = high(a1, b1), ghHigh = high(c1, d1);
  storeChunks<W>(to, even(ab, cd), odd(ab, cd), even(abHigh, cdHigh), odd(abHigh, cdHigh), even(ef, gh), odd(ef, gh), even(efHigh, ghHigh), odd(efHigh, ghHigh));
}
