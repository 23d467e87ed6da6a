/**
 * Codes of one packed block (32 columns x 8 rows), unsigned. Columns come in chunks of 4: a vector holds rows
 * 4h..4h+3 at one chunk, byte 4 * (row & 3) + (column & 3), so that a dot of byte quadruples leaves one row per lane.
 *
 * - Nibbles, 128 bytes: vector 2 * i + h holds chunk i in the low and chunk i + 4 in the high nibbles.
 * - A fifth bit, 32 bytes: vector h; bit i of a byte belongs to chunk i.
 * - A fifth and sixth bit, 64 bytes: vector 2 * (chunk >> 2) + h; chunks 0 to 3 (mod 4) have bits 4, 5; 6, 7; 0, 1; 2, 3.
 * - q8_0, 256 bytes instead of all these: vector 2 * chunk + h, whole bytes, biased by 128.
 */
import { Q8_0, highBits, is } from './types';

const PLANES: usize = 128;

/** The code at `row` (0..7), `column` (0..31). */
// @ts-ignore: decorator
@inline export function codeAt<W>(codes: usize, row: usize, column: usize): i32 {
  const chunk = column >> 2, i = chunk & 3, upper = chunk >> 2;
  const at = codes + (row << 2) + (column & 3);
  if (is<W, Q8_0>()) return load<u8>(at + (chunk << 5));
  const nibble: i32 = load<u8>(at + (i << 5)) >> <u8>(upper << 2) & 15;
  if (highBits<W>() == 1) return nibble | (<i32>load<u8>(at, PLANES) >> <i32>chunk & 1) << 4;
  if (highBits<W>() == 2) return nibble | (<i32>load<u8>(at + (upper << 5), PLANES) >> <i32>(i << 1 ^ 4) & 3) << 4;
  return nibble;
}

/**
 * Masks for the vector walk, by the bits above the nibble: 0x0F, 0x10, 0x30 in every byte. They come from memory
 * because V8 builds a constant anew at each use, while a loaded vector stays in its register.
 */
export const NIBBLES: usize = memory.data<u64>([0x0F0F0F0F0F0F0F0F, 0x1010101010101010, 0x3030303030303030, 0, 0]);
export const EVEN_BYTES: usize = memory.data<u64>([0x00FF00FF00FF00FF]);

/**
 * The vector walk: for i = 0..3, chunk i comes from `lowCodes`, chunk i + 4 from `highCodes`, both fed with the
 * nibble vector `raw` at `at`, the bit planes of their chunks and the masks NIBBLES[0] and NIBBLES[highBits]. Planes:
 * lowPlane and highPlane for i = 0; for i = 1 `oddPlane` of these; for i = 2 `nextPlanes` of these, for i = 3 oddPlane
 * of those. (The bytes shift as 16-bit lanes: what leaks in from the neighbour never reaches the bits still to be read.)
 */
// @ts-ignore: decorator
@inline export function lowCodes<W>(raw: v128, plane: v128, nibble: v128, high: v128): v128 {
  if (is<W, Q8_0>()) return raw;
  return withPlane<W>(v128.and(raw, nibble), highBits<W>() == 1 ? i16x8.shl(plane, 4) : plane, high);
}

// @ts-ignore: decorator
@inline export function highCodes<W>(raw: v128, at: usize, plane: v128, nibble: v128, high: v128): v128 {
  if (is<W, Q8_0>()) return v128.load(at, 128);
  return withPlane<W>(v128.and(i16x8.shr_u(raw, 4), nibble), plane, high);
}

// @ts-ignore: decorator
@inline function withPlane<W>(nibbles: v128, plane: v128, high: v128): v128 {
  return highBits<W>() == 0 ? nibbles : v128.or(nibbles, v128.and(plane, high));
}

/** The bit planes of half h for chunks 0..3; zero where the type has none. */
// @ts-ignore: decorator
@inline export function lowPlane<W>(codes: usize, half: i32): v128 {
  return highBits<W>() == 1 || highBits<W>() == 2 ? v128.load(codes + (<usize>half << 4), PLANES) : i32x4.splat(0);
}

/** The same for chunks 4..7: with one bit per code they share a vector. */
// @ts-ignore: decorator
@inline export function highPlane<W>(codes: usize, half: i32, low: v128): v128 {
  return highBits<W>() == 2 ? v128.load(codes + (<usize>half << 4), PLANES + 32) : low;
}

/** The plane of chunk 1 from that of 0, of 3 from that of 2. */
// @ts-ignore: decorator
@inline export function oddPlane<W>(plane: v128): v128 {
  return highBits<W>() == 1 || highBits<W>() == 2 ? i16x8.shr_u(plane, highBits<W>()) : plane;
}

/** The plane of chunk 2 from that of 0. */
// @ts-ignore: decorator
@inline export function nextPlanes<W>(plane: v128): v128 {
  if (highBits<W>() == 2) return i16x8.shl(plane, 4);
  return highBits<W>() == 1 ? i16x8.shr_u(plane, 2) : plane;
}
