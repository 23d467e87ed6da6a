/**
 * Codes of one packed block (32 columns x 8 rows), unsigned. Columns come in chunks of 4: a code vector holds rows
 * 4h..4h+3 at one chunk, byte 4 * (row & 3) + (column & 3), so that a dot of byte quadruples leaves one row per lane.
 * Stored vector v of half h lies at 32 v + 16 h. What is stored is chosen so that few operations take the codes out:
 *
 * - 4 bits: vector i = 0..3 holds chunk i in the low and chunk i + 4 in the high nibbles.
 * - 5 bits: vectors 0..4 hold chunks 0..4 in their low bits, and chunks 5..7 in the three above: chunk 5's bits 0..2 in
 *   vector 0, 3 and 4 at the top of vector 1; chunk 6's likewise in 2 and 3; chunk 7's 0..2 in vector 4, 3 and 4 in bit 5 of 1 and 3.
 * - 6 bits: vectors 0..2 hold chunks 0..2 in their low bits, and chunk 3 in the two above, bits 4 and 5 in vector 0, 2 and 3 in
 *   vector 1, 0 and 1 in vector 2; vectors 3..5 hold chunks 4..7 likewise.
 * - 8 bits: vector i holds chunk i, biased by 128.
 */
import { highBits, isBytes } from './types';

/** The code at `row` (0..7), `column` (0..31). */
// @ts-ignore: decorator
@inline export function codeAt<W>(codes: usize, row: usize, column: usize): i32 {
  const chunk = column >> 2, at = codes + (row << 2) + (column & 3);
  if (isBytes<W>()) return load<u8>(at + (chunk << 5));
  if (highBits<W>() == 1) return fiveBitsAt(at, chunk);
  if (highBits<W>() == 2) return sixBitsAt(at + 96 * (chunk >> 2), chunk & 3);
  return load<u8>(at + ((chunk & 3) << 5)) >> <u8>(chunk >> 2 << 2) & 15;
}

function fiveBitsAt(at: usize, chunk: usize): i32 {
  if (chunk < 5) return load<u8>(at + (chunk << 5)) & 31;
  if (chunk == 7) return load<u8>(at, 128) >> 5 | (load<u8>(at, 32) & 32) >> 2 | (load<u8>(at, 96) & 32) >> 1;
  const pair = at + (chunk - 5 << 6);
  return load<u8>(pair) >> 5 | load<u8>(pair, 32) >> 6 << 3;
}

function sixBitsAt(at: usize, chunk: usize): i32 {
  if (chunk < 3) return load<u8>(at + (chunk << 5)) & 63;
  return load<u8>(at) >> 6 << 4 | load<u8>(at, 32) >> 6 << 2 | load<u8>(at, 64) >> 6;
}

/** Puts a code where codeAt finds it, ORed to what is there. */
// @ts-ignore: decorator
@inline export function putCode<W>(codes: usize, row: usize, column: usize, code: u32): void {
  const chunk = column >> 2, at = codes + (row << 2) + (column & 3);
  if (isBytes<W>()) store<u8>(at + (chunk << 5), code);
  else if (highBits<W>() == 1) putFiveBits(at, chunk, code);
  else if (highBits<W>() == 2) putSixBits(at + 96 * (chunk >> 2), chunk & 3, code);
  else addBits(at + ((chunk & 3) << 5), code << <u32>(chunk >> 2 << 2));
}

function putFiveBits(at: usize, chunk: usize, code: u32): void {
  if (chunk < 5) return addBits(at + (chunk << 5), code);
  const pair = chunk == 7 ? at + 128 : at + (chunk - 5 << 6);
  addBits(pair, code << 5);
  if (chunk < 7) addBits(pair + 32, code >> 3 << 6);
  else addBits(at + 32, code << 2 & 32), addBits(at + 96, code << 1 & 32);
}

function putSixBits(at: usize, chunk: usize, code: u32): void {
  if (chunk < 3) return addBits(at + (chunk << 5), code);
  addBits(at, code >> 4 << 6);
  addBits(at + 32, code >> 2 << 6);
  addBits(at + 64, code << 6);
}

// @ts-ignore: decorator
@inline function addBits(address: usize, bits: u32): void { store<u8>(address, load<u8>(address) | bits); }

/**
 * Masks of the vector forms, three a width, by the bits above the nibble. They come from memory because V8 builds a constant
 * anew at each use, while a loaded vector stays in its register.
 */
const MASKS: usize = memory.data<u64>([
  0x0F0F0F0F0F0F0F0F, 0, 0, 0x1F1F1F1F1F1F1F1F, 0x1818181818181818, 0x2020202020202020, 0x3F3F3F3F3F3F3F3F, 0, 0,
]);
export const EVEN_BYTES: usize = memory.data<u64>([0x00FF00FF00FF00FF]);

// @ts-ignore: decorator
@inline export function maskOf<W>(n: i32): v128 {
  return isBytes<W>() || n > 0 && highBits<W>() != 1 ? i32x4.splat(0) : v128.load64_splat(MASKS + 8 * (3 * <usize>highBits<W>() + <usize>n));
}

/**
 * The codes of chunk i (a constant of the caller's) of the half at `at`; a, b, c: maskOf 0, 1, 2. The bytes shift as
 * 16-bit lanes: what leaks in from the neighbour is masked off, or was before.
 */
// @ts-ignore: decorator
@inline export function chunkCodes<W>(at: usize, i: i32, a: v128, b: v128, c: v128): v128 {
  if (isBytes<W>()) return v128.load(at + (<usize>i << 5));
  if (highBits<W>() == 1) return fiveBits(at, i, a, b, c);
  if (highBits<W>() == 2) return sixBits(at + 96 * <usize>(i >> 2), i & 3, a);
  const raw = v128.load(at + (<usize>(i & 3) << 5));
  return v128.and(i < 4 ? raw : i16x8.shr_u(raw, 4), a);
}

// @ts-ignore: decorator
@inline function fiveBits(at: usize, i: i32, low: v128, top: v128, fifth: v128): v128 {
  if (i < 5) return v128.and(v128.load(at + (<usize>i << 5)), low);
  const pair = i == 7 ? at + 128 : at + (<usize>(i - 5) << 6), three = i16x8.shr_u(v128.andnot(v128.load(pair), low), 5);
  if (i < 7) return v128.or(three, v128.and(i16x8.shr_u(v128.load(pair + 32), 3), top));
  return v128.or(three, v128.or(i16x8.shr_u(v128.and(v128.load(at + 32), fifth), 2), i16x8.shr_u(v128.and(v128.load(at + 96), fifth), 1)));
}

// @ts-ignore: decorator
@inline function sixBits(at: usize, i: i32, low: v128): v128 {
  if (i < 3) return v128.and(v128.load(at + (<usize>i << 5)), low);
  const first = i16x8.shr_u(v128.andnot(v128.load(at), low), 2), second = i16x8.shr_u(v128.andnot(v128.load(at + 32), low), 4);
  return v128.or(v128.or(first, second), i16x8.shr_u(v128.andnot(v128.load(at + 64), low), 6));
}

/** Stores the eight code vectors of a half where chunkCodes finds them. */
// @ts-ignore: decorator
@inline export function storeChunks<W>(at: usize, c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128, c6: v128, c7: v128): void {
  if (highBits<W>() == 2) {
    storeSixBits(at, c0, c1, c2, c3);
    storeSixBits(at + 96, c4, c5, c6, c7);
  } else {
    v128.store(at, v128.or(c0, i16x8.shl(v128.and(c5, i8x16.splat(7)), 5)));
    v128.store(at + 32, v128.or(v128.or(c1, topBits(c5, 3)), i16x8.shl(v128.and(c7, i8x16.splat(8)), 2)));
    v128.store(at + 64, v128.or(c2, i16x8.shl(v128.and(c6, i8x16.splat(7)), 5)));
    v128.store(at + 96, v128.or(v128.or(c3, topBits(c6, 3)), i16x8.shl(v128.and(c7, i8x16.splat(16)), 1)));
    v128.store(at + 128, v128.or(c4, i16x8.shl(v128.and(c7, i8x16.splat(7)), 5)));
  }
}

// @ts-ignore: decorator
@inline function storeSixBits(at: usize, c0: v128, c1: v128, c2: v128, c3: v128): void {
  v128.store(at, v128.or(c0, topBits(c3, 4)));
  v128.store(at + 32, v128.or(c1, topBits(c3, 2)));
  v128.store(at + 64, v128.or(c2, topBits(c3, 0)));
}

/** Bits n and n + 1 of each byte at its top. */
// @ts-ignore: decorator
@inline function topBits(codes: v128, n: i32): v128 { return i16x8.shl(v128.and(codes, i8x16.splat(<i8>(<i32>3 << n))), 6 - n); }
