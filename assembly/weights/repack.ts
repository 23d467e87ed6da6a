/**
 * File order (ggml-common.h: rows of blocks) to packed order (types.ts). Quantised values are moved, never changed.
 * Rows missing from the last group become zero rows: their scales are 0 (their codes repeat the last row).
 */
import { SIMD } from '../lanes';
import { putCode, storeChunks } from './codes';
import { NORMAL_END, halfToFloat, pairOffset, toNormal, toNormals } from './half';
import { toIntegers } from './integers';
import { smallMinimumAt, smallScaleAt } from './scales';
import { low, high, even, odd, storeTransposed } from './transpose';
import {
  BFloat16, BLOCK, Float32, GROUP, Half, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0,
  codeBytes, fileBytes, groupHead, groupAt, hasIntegers, hasMinimum, headerBytes, highBits, is, isK, isPaired, packedBytes, subs, superBytes, supers,
} from './types';

/** Packs n rows of k columns, group by group; of pairs both. */
// @ts-ignore: decorator
@inline function repack<W>(dst: usize, src: usize, n: i32, k: i32): void {
  const rowBytes = is<W, Float32>() ? <usize>k << 2 : isPaired<W>() ? <usize>k << 1 : <usize>supers<W>(k) * fileBytes<W>();
  const end = isPaired<W>() ? (n + 2 * GROUP - 1) / (2 * GROUP) * (2 * GROUP) : n;
  for (let row = 0; row < end; row += GROUP) {
    const to = groupAt<W>(dst, row / GROUP, k), rows = max(0, min(GROUP, n - row));
    if (is<W, Float32>()) packWords(to, src, rows, k, rowBytes);
    else if (isPaired<W>()) packPairs<W>(to, src, rows, k, rowBytes);
    else {
      packBlocks<W>(to + groupHead<W>(), src, rows, k, rowBytes);
      if (hasIntegers<W>()) toIntegers<W>(to, k);
    }
    src += rowBytes << 3;
  }
}

// Floats

/** 16 bytes of a row, zeros for a row that is missing. */
// @ts-ignore: decorator
@inline function loadRow(src: usize, row: i32, rows: i32, rowBytes: usize): v128 {
  return row < rows ? v128.load(src + <usize>row * rowBytes) : i32x4.splat(0);
}

function packWords(dst: usize, src: usize, rows: i32, k: i32, rowBytes: usize): void {
  let done = 0;
  if (SIMD) {
    for (; done + 4 <= k; done += 4) {
      for (let row = 0; row < GROUP; row += 4) {
        const at = src + (<usize>done << 2);
        storeTransposed(dst + (<usize>done << 5) + (<usize>row << 2), 32,
          loadRow(at, row, rows, rowBytes), loadRow(at, row + 1, rows, rowBytes),
          loadRow(at, row + 2, rows, rowBytes), loadRow(at, row + 3, rows, rowBytes));
      }
    }
  }
  for (; done < k; done++) {
    for (let row = 0; row < GROUP; row++) {
      const at = src + <usize>row * rowBytes + (<usize>done << 2);
      store<u32>(dst + (<usize>done << 5) + (<usize>row << 2), row < rows ? load<u32>(at) : 0);
    }
  }
}

function packPairs<W>(dst: usize, src: usize, rows: i32, k: i32, rowBytes: usize): void {
  const normal = is<W, Half>() && !anyFrom(src, rows * k, NORMAL_END);
  if (is<W, Half>()) {
    store<u64>(dst, normal ? 0 : 1);
    store<u64>(dst, 0, 8);
    dst += groupHead<W>();
  }
  if (normal) packColumns<Normal>(dst, src, rows, k, rowBytes);
  else packColumns<W>(dst, src, rows, k, rowBytes);
}

/** f16 to be packed with a bias of 25. */
class Normal {}

/** Columns of a group, 32 bytes apart. */
function packColumns<S>(dst: usize, src: usize, rows: i32, k: i32, rowBytes: usize): void {
  let done = 0;
  if (SIMD) {
    for (; done + 8 <= k; done += 8) {
      const at = src + (<usize>done << 1), to = dst + (<usize>done << 5);
      const a = loadRow(at, 0, rows, rowBytes), e = loadRow(at, 4, rows, rowBytes);
      const b = loadRow(at, 1, rows, rowBytes), f = loadRow(at, 5, rows, rowBytes);
      const c = loadRow(at, 2, rows, rowBytes), g = loadRow(at, 6, rows, rowBytes);
      const d = loadRow(at, 3, rows, rowBytes), h = loadRow(at, 7, rows, rowBytes);
      storeTransposed(to, 32, pairLow<S>(a, e), pairLow<S>(b, f), pairLow<S>(c, g), pairLow<S>(d, h));
      storeTransposed(to + 128, 32, pairHigh<S>(a, e), pairHigh<S>(b, f), pairHigh<S>(c, g), pairHigh<S>(d, h));
    }
  }
  for (; done < k; done++) {
    for (let row = 0; row < GROUP; row++) {
      const bits = row < rows ? <u32>load<u16>(src + <usize>row * rowBytes + (<usize>done << 1)) : 0;
      store<u16>(dst + (<usize>done << 5) + pairOffset(row), is<S, Normal>() ? toNormal(bits) : bits);
    }
  }
}

// @ts-ignore: decorator
@inline function pairLow<S>(a: v128, b: v128): v128 { return kept<S>(v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11)); }
// @ts-ignore: decorator
@inline function pairHigh<S>(a: v128, b: v128): v128 { return kept<S>(v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15)); }
// @ts-ignore: decorator
@inline function kept<S>(pairs: v128): v128 { return is<S, Normal>() ? toNormals(pairs) : pairs; }

/** Whether any of `count` f16 values has bits, sign apart, of `first` or above. */
function anyFrom(src: usize, count: i32, first: u32): bool {
  let done = 0;
  if (SIMD) {
    const magnitude = i16x8.splat(0x7FFF);
    let largest = i16x8.splat(0);
    for (; done + 8 <= count; done += 8) largest = i16x8.max_s(largest, v128.and(v128.load(src + (<usize>done << 1)), magnitude));
    if (v128.any_true(i16x8.ge_s(largest, i16x8.splat(<i16>first)))) return true;
  }
  for (; done < count; done++) if (<u32>(load<u16>(src + (<usize>done << 1)) & 0x7FFF) >= first) return true;
  return false;
}

// Blocks

function packBlocks<W>(dst: usize, src: usize, rows: i32, k: i32, rowBytes: usize): void {
  for (let s = 0; s < supers<W>(k); s++) {
    packHeader<W>(dst, src, rows, rowBytes);
    const codes = dst + headerBytes<W>();
    for (let sub: usize = 0; sub < subs<W>(); sub++) {
      const to = codes + sub * codeBytes<W>();
      if (SIMD) packCodes<W>(to, src, sub, rows, rowBytes);
      else packCodesByByte<W>(to, src, sub, rows, rowBytes);
    }
    src += fileBytes<W>();
    dst += superBytes<W>();
  }
}

/** A row's blocks; a missing row borrows the last one. */
// @ts-ignore: decorator
@inline function rowAt(src: usize, row: i32, rows: i32, rowBytes: usize): usize { return src + <usize>min(row, rows - 1) * rowBytes; }

/** Layouts: scales.ts; scales that will be integers are left as f16. */
// @ts-ignore: decorator
@inline function packHeader<W>(head: usize, src: usize, rows: i32, rowBytes: usize): void {
  for (let row = 0; row < GROUP; row++) {
    const block = rowAt(src, row, rows, rowBytes);
    const present = row < rows ? 0xFFFF : 0;
    const scale = load<u16>(block, is<W, Q6_K>() ? 208 : 0) & present;
    const minimum = hasMinimum<W>() ? load<u16>(block, 2) & present : 0;
    if (hasIntegers<W>()) store<u16>(head + (row << 1), scale);
    else store<f32>(head + (row << 2), halfToFloat(scale));
    if (hasMinimum<W>()) store<f32>(head + (row << 2), isK<W>() ? -halfToFloat(minimum) : halfToFloat(minimum), 32);
    if (is<W, Q6_K>()) packSixteenths(head + 32 + row, block + 192);
    else if (isK<W>()) packBlockScales(head, row, block + 4);
  }
}

function packSixteenths(dst: usize, src: usize): void {
  for (let i: usize = 0; i < 16; i++) store<u8>(dst + (i << 3), load<u8>(src + i));
}

/** The 12 bytes of 6-bit scales and minima of q4_K and q5_K (ggml-quants.c, get_scale_min_k4). */
function packBlockScales(head: usize, row: usize, src: usize): void {
  for (let i: usize = 0; i < 4; i++) {
    const first = load<u8>(src + i), second = load<u8>(src + i, 4), third = load<u8>(src + i, 8);
    store<u8>(smallScaleAt(head, i, row), first & 63);
    store<u8>(smallMinimumAt(head, i, row), second & 63);
    store<u8>(smallScaleAt(head, i + 4, row), third & 15 | first >> 6 << 4);
    store<u8>(smallMinimumAt(head, i + 4, row), third >> 4 | second >> 6 << 4);
  }
}

/** Where a block's low nibbles begin in a file block, and how far they are shifted; see fileCode. */
// @ts-ignore: decorator
@inline function nibblesAt<W>(block: usize, sub: usize): usize {
  if (is<W, Q6_K>()) return block + (sub >> 2 << 6) + ((sub & 1) << 5);
  if (isK<W>()) return block + 16 + (highBits<W>() << 5) + (sub >> 1 << 5);
  return block + 2 + (hasMinimum<W>() ? 2 : 0) + (highBits<W>() << 2);
}

// @ts-ignore: decorator
@inline function nibbleShift<W>(sub: usize): i32 { return <i32>(is<W, Q6_K>() ? sub >> 1 & 1 : sub & 1) << 2; }

/** Where the bits above the nibbles begin. */
// @ts-ignore: decorator
@inline function highAt<W>(block: usize, sub: usize): usize {
  if (is<W, Q6_K>()) return block + 128 + (sub >> 2 << 5);
  return block + (isK<W>() ? 16 : hasMinimum<W>() ? 4 : 2);
}

/** One unsigned code of a file block: column 0..31 of block `sub`. */
// @ts-ignore: decorator
@inline function fileCode<W>(block: usize, sub: usize, column: usize): u32 {
  if (is<W, Q8_0>()) return load<u8>(block + column, 2) ^ 0x80;
  const nibbles = nibblesAt<W>(block, sub), above = highAt<W>(block, sub);
  const nibble: u32 = isK<W>()
    ? <u32>load<u8>(nibbles + column) >> nibbleShift<W>(sub) & 15
    : <u32>load<u8>(nibbles + (column & 15)) >> <u32>(column >> 4 << 2) & 15;
  if (is<W, Q6_K>()) return nibble | (<u32>load<u8>(above + column) >> <u32>((sub & 3) << 1) & 3) << 4;
  if (is<W, Q5_K>()) return nibble | (<u32>load<u8>(above + column) >> <u32>sub & 1) << 4;
  return highBits<W>() == 1 ? nibble | (load<u32>(above) >> <u32>column & 1) << 4 : nibble;
}

/** Layouts: codes.ts. One row's four columns make a word of the packed planes. */
// @ts-ignore: decorator
@inline function packCodesByByte<W>(dst: usize, src: usize, sub: usize, rows: i32, rowBytes: usize): void {
  memory.fill(dst, 0, codeBytes<W>());
  for (let row = 0; row < GROUP; row++) {
    const block = rowAt(src, row, rows, rowBytes);
    for (let column: usize = 0; column < <usize>BLOCK; column++) {
      const code = fileCode<W>(block, sub, column);
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
    if (is<W, Q8_0>()) {
      storeTransposed(to, 32, biased(a, 2), biased(b, 2), biased(c, 2), biased(d, 2));
      storeTransposed(to + 128, 32, biased(a, 18), biased(b, 18), biased(c, 18), biased(d, 18));
    } else if (highBits<W>() == 0) {
      storeTransposed(to, 32, nibbles<W>(a, sub), nibbles<W>(b, sub), nibbles<W>(c, sub), nibbles<W>(d, sub));
    } else packTight<W>(to, sub, a, b, c, d);
  }
}

// @ts-ignore: decorator
@inline function biased(block: usize, at: usize): v128 { return v128.xor(v128.load(block + at), i8x16.splat(-128)); }

/** Low nibbles: columns 0..15 of block `sub` in the low, 16..31 in the high halves of 16 bytes. */
// @ts-ignore: decorator
@inline function nibbles<W>(block: usize, sub: usize): v128 {
  const at = nibblesAt<W>(block, sub), first = v128.load(at);
  if (!isK<W>()) return first;
  const second = v128.load(at, 16), mask = i8x16.splat(15);
  return nibbleShift<W>(sub)
    ? v128.or(v128.and(i16x8.shr_u(first, 4), mask), v128.andnot(second, mask))
    : v128.or(v128.and(first, mask), i16x8.shl(v128.and(second, mask), 4));
}

/** Codes of 5 or 6 bits: eight chunks of four rows. */
// @ts-ignore: decorator
@inline function packTight<W>(to: usize, sub: usize, a: usize, b: usize, c: usize, d: usize): void {
  const a0 = fileCodes<W>(a, sub, 0), b0 = fileCodes<W>(b, sub, 0), c0 = fileCodes<W>(c, sub, 0), d0 = fileCodes<W>(d, sub, 0);
  const a1 = fileCodes<W>(a, sub, 1), b1 = fileCodes<W>(b, sub, 1), c1 = fileCodes<W>(c, sub, 1), d1 = fileCodes<W>(d, sub, 1);
  const ab = low(a0, b0), cd = low(c0, d0), abHigh = high(a0, b0), cdHigh = high(c0, d0);
  const ef = low(a1, b1), gh = low(c1, d1), efHigh = high(a1, b1), ghHigh = high(c1, d1);
  storeChunks<W>(to, even(ab, cd), odd(ab, cd), even(abHigh, cdHigh), odd(abHigh, cdHigh), even(ef, gh), odd(ef, gh), even(efHigh, ghHigh), odd(efHigh, ghHigh));
}

/** fileCode of columns 16 * half.. of block `sub`. */
// @ts-ignore: decorator
@inline function fileCodes<W>(block: usize, sub: usize, half: i32): v128 {
  const from = isK<W>() ? <usize>half << 4 : 0, raw = v128.load(nibblesAt<W>(block, sub) + from);
  const shift = isK<W>() ? nibbleShift<W>(sub) : half << 2;
  return v128.or(v128.and(i16x8.shr_u(raw, shift), i8x16.splat(15)), bitsAbove<W>(block, sub, half));
}

/** The bits above the nibbles, in their place in the code. */
// @ts-ignore: decorator
@inline function bitsAbove<W>(block: usize, sub: usize, half: i32): v128 {
  const at = highAt<W>(block, sub);
  if (isK<W>()) {
    const bits = i16x8.shr_u(v128.load(at + (<usize>half << 4)), is<W, Q6_K>() ? <i32>(sub & 3) << 1 : <i32>sub);
    return i16x8.shl(v128.and(bits, i8x16.splat(is<W, Q6_K>() ? 3 : 1)), 4);
  }
  const two = v128.load16_splat(at + (<usize>half << 1)), each = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  const bytes = v128.shuffle<i8>(two, two, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  return v128.and(i8x16.eq(v128.and(bytes, each), each), i8x16.splat(16));
}

/** packed_bytes_*: bytes of n rows (rounded up to whole groups) of k columns in packed form. */
export function packed_bytes_f32(n: i32, k: i32): usize { return packedBytes<Float32>(n, k); }
export function packed_bytes_f16(n: i32, k: i32): usize { return packedBytes<Half>(n, k); }
export function packed_bytes_bf16(n: i32, k: i32): usize { return packedBytes<BFloat16>(n, k); }
export function packed_bytes_q8_0(n: i32, k: i32): usize { return packedBytes<Q8_0>(n, k); }
export function packed_bytes_q4_0(n: i32, k: i32): usize { return packedBytes<Q4_0>(n, k); }
export function packed_bytes_q4_1(n: i32, k: i32): usize { return packedBytes<Q4_1>(n, k); }
export function packed_bytes_q5_0(n: i32, k: i32): usize { return packedBytes<Q5_0>(n, k); }
export function packed_bytes_q5_1(n: i32, k: i32): usize { return packedBytes<Q5_1>(n, k); }
export function packed_bytes_q4_K(n: i32, k: i32): usize { return packedBytes<Q4_K>(n, k); }
export function packed_bytes_q5_K(n: i32, k: i32): usize { return packedBytes<Q5_K>(n, k); }
export function packed_bytes_q6_K(n: i32, k: i32): usize { return packedBytes<Q6_K>(n, k); }

/** repack_*: packs n rows of k columns from `src` (file order) to `dst`; a tensor may come in chunks of whole groups. */
export function repack_f32(dst: usize, src: usize, n: i32, k: i32): void { repack<Float32>(dst, src, n, k); }
export function repack_f16(dst: usize, src: usize, n: i32, k: i32): void { repack<Half>(dst, src, n, k); }
export function repack_bf16(dst: usize, src: usize, n: i32, k: i32): void { repack<BFloat16>(dst, src, n, k); }
export function repack_q8_0(dst: usize, src: usize, n: i32, k: i32): void { repack<Q8_0>(dst, src, n, k); }
export function repack_q4_0(dst: usize, src: usize, n: i32, k: i32): void { repack<Q4_0>(dst, src, n, k); }
export function repack_q4_1(dst: usize, src: usize, n: i32, k: i32): void { repack<Q4_1>(dst, src, n, k); }
export function repack_q5_0(dst: usize, src: usize, n: i32, k: i32): void { repack<Q5_0>(dst, src, n, k); }
export function repack_q5_1(dst: usize, src: usize, n: i32, k: i32): void { repack<Q5_1>(dst, src, n, k); }
export function repack_q4_K(dst: usize, src: usize, n: i32, k: i32): void { repack<Q4_K>(dst, src, n, k); }
export function repack_q5_K(dst: usize, src: usize, n: i32, k: i32): void { repack<Q5_K>(dst, src, n, k); }
export function repack_q6_K(dst: usize, src: usize, n: i32, k: i32): void { repack<Q6_K>(dst, src, n, k); }
