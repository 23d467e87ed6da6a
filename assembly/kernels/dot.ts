/**
 * Exact integer dots of unsigned weight codes with int8 activations, four columns to an i32 lane.
 *
 * Relaxed SIMD has one instruction for it, and machines differ in how they read codes above 127 (only 8 bits have any):
 * - Direct: as unsigned bytes (x86 with VNNI: vpdpbusd). The offset of 128 comes off by the sum of the activations.
 * - Signed: as signed bytes (Arm: sdot). The codes lose their bias first.
 * - Narrow: products are added in pairs to i16, saturating (older x86: vpmaddubsw, whose codes are unsigned; three more
 *   instructions would follow to get to i32). There sums stay in i16 for a whole block. They may wrap on the way: only
 *   the last value has to fit, and it does, because sums start from -offset x the activations:
 *     4 bits: 8 x 127 x 16 columns = 16256; 5 bits: 16 x 127 x 16 = 32512; 6 bits (q6_K, in halves): 32 x 127 x 8 = 32512.
 *   Types with a minimum start from 0: 15 x 127 x 16 = 30480; five bits of one token in halves, 31 x 127 x 8 = 31496 (q5_K), or from
 *   -16 x the activations (isBiased).
 *   q8_0's would not fit. One token splits its activations instead, x = 16 high + low, both within -8..8 (quantize.ts):
 *   8 x 255 x 16 = 32640; several take Words.
 * - Words: the even and odd bytes of the codes as i16, against activations as i16 in that order (quantize.ts). Plain simd.
 */
import { RELAXED } from '../lanes';
import { hasIntegers, hasMinimum, hasSixteenths, highBits, is, isBytes, offset } from '../weights/types';

export class Direct {}
export class Signed {}
export class Narrow {}
export class Words {}

export const DIRECT: i32 = 0;
export const SIGNED: i32 = 1;
export const NARROW: i32 = 2;

/** Asks this machine. `salt` keeps the compiler from answering instead. */
// @ts-ignore: decorator
@inline export function probe(salt: i32): i32 {
  const byte = 0xF0 | salt & 15;
  const product = i32x4.extract_lane(i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.splat(127), i8x16.splat(<i8>byte), i32x4.splat(0)), 0);
  return product == 4 * 127 * byte ? DIRECT : product == 4 * 127 * (byte - 256) ? SIGNED : NARROW;
}

/** Blocks whose integer sum comes in two parts, each with its factor: q6_K's halves. A panel of words has the factors multiplied in. */
// @ts-ignore: decorator
@inline export function inParts<W, D>(): bool { return hasSixteenths<W>() && !is<D, Words>(); }

/** One token of q8_0: two sums, of the high and of the low parts of the activations. */
// @ts-ignore: decorator
@inline export function isSplit<W, D>(): bool { return isBytes<W>() && is<D, Narrow>(); }

/**
 * A block's integer sum is multiplied by its integer scale on the way from i16 to i32: exact, below 2^31 (five bits: 16 x 127 x 32 columns x
 * 2^15), so that f32 rounds the same number as in the written order (matmul_q8.ts). A sum of q8_0 leaves no room.
 */
// @ts-ignore: decorator
@inline export function inIntegers<W, D>(): bool { return hasIntegers<W>() && is<D, Narrow>() && !isSplit<W, D>(); }

/** What is taken off the codes by way of the sums' start: the type's offset, or 16 to make five bits fit in i16. */
// @ts-ignore: decorator
@inline export function bias<W, D>(): i32 {
  if (isSplit<W, D>()) return 8;
  if (is<D, Signed>() && isBytes<W>()) return 0;
  return isBiased<W, D>() ? 16 : offset<W>();
}

/** bias in every i16 lane; from memory, like the masks in codes.ts. */
// @ts-ignore: decorator
@inline export function biases<W, D>(): v128 {
  const value = bias<W, D>();
  return value ? v128.load32_splat(BIASES + (value == 8 ? 0 : value == 16 ? 4 : value == 32 ? 8 : 12)) : i32x4.splat(0);
}
const BIASES: usize = memory.data<u32>([8 * 0x10001, 16 * 0x10001, 32 * 0x10001, 128 * 0x10001]);

/** Types with a minimum whose bias must come back before it counts. */
// @ts-ignore: decorator
@inline export function isBiased<W, D>(): bool { return is<D, Narrow>() && hasMinimum<W>() && highBits<W>() == 1; }

/** A sum's start: -bias x activations. `pairs` repeats two i16: minus the sums of columns 0, 1 and 2, 3 of each four. */
// @ts-ignore: decorator
@inline export function start<D>(pairs: v128, bias: v128): v128 {
  return is<D, Narrow>() ? i16x8.mul(pairs, bias) : i32x4.dot_i16x8_s(pairs, bias);
}

/** sum + codes . x, where x repeats four activations as bytes (Words: two as i16). */
// @ts-ignore: decorator
@inline export function dot<D>(sum: v128, codes: v128, x: v128): v128 {
  if (is<D, Words>()) return i32x4.add(sum, i32x4.dot_i16x8_s(x, codes));
  if (!RELAXED) return unreachable();
  if (is<D, Narrow>()) return i16x8.add(sum, i16x8.relaxed_dot_i8x16_i7x16_s(x, codes));
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(x, codes, sum);
}

/** codes . x before it is added, where that is another operation. */
// @ts-ignore: decorator
@inline export function product<D>(codes: v128, x: v128): v128 {
  if (is<D, Words>()) return i32x4.dot_i16x8_s(x, codes);
  return is<D, Narrow>() && RELAXED ? i16x8.relaxed_dot_i8x16_i7x16_s(x, codes) : x;
}

// @ts-ignore: decorator
@inline export function addProduct<D>(sum: v128, product: v128): v128 {
  return is<D, Narrow>() ? i16x8.add(sum, product) : i32x4.add(sum, product);
}

/** 1 in every i16 lane, from memory like the masks in codes.ts. */
export const ONES: usize = memory.data<u64>([0x0001000100010001]);

/** The i32 sums; `ones` is ONES. */
// @ts-ignore: decorator
@inline export function widen<D>(sum: v128, ones: v128): v128 {
  return is<D, Narrow>() ? i32x4.dot_i16x8_s(sum, ones) : sum;
}

/** The i32 sums times an integer: `factor` is i32, for Narrow an i16 twice. */
// @ts-ignore: decorator
@inline export function scaled<D>(sum: v128, factor: v128): v128 {
  return is<D, Narrow>() ? i32x4.dot_i16x8_s(sum, factor) : i32x4.mul(sum, factor);
}
