/**
 * Exact integer dots of unsigned weight codes with int8 activations, four columns to an i32 lane.
 *
 * Relaxed SIMD has one instruction for it, and machines differ in how they read codes above 127 (only q8_0 has any):
 * - Direct: as unsigned bytes (x86 with VNNI: vpdpbusd). The offset of 128 comes off by the sum of the activations.
 * - Signed: as signed bytes (Arm: sdot). The codes lose their bias first.
 * - Pairs: products are added in pairs to i16, saturating (older x86: vpmaddubsw, and three more instructions to get
 *   to i32). There the i16 form costs one instruction, and eight sums of nibbles fit in i16: 8 * 2 * 15 * 127 = 30480.
 * Plain simd takes the even and odd bytes of the codes as i16 (its activations are i16, in that order): always Direct.
 */
import { RELAXED } from '../lanes';
import { is } from '../weights/types';

export class Direct {}
export class Signed {}
/** Sums in i32, widened after each dot: for codes of up to 7 bits. */
export class Pairs {}
/** Sums in i16, for nibbles (eight dots) or 5-bit codes (four); widen at the end. */
export class Narrow {}

export const DIRECT: i32 = 0;
export const SIGNED: i32 = 1;
export const PAIRS: i32 = 2;

/** Asks this machine. `salt` keeps the compiler from answering instead. */
// @ts-ignore: decorator
@inline export function probe(salt: i32): i32 {
  const byte = 0xF0 | salt & 15;
  const product = i32x4.extract_lane(i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.splat(127), i8x16.splat(<i8>byte), i32x4.splat(0)), 0);
  return product == 4 * 127 * byte ? DIRECT : product == 4 * 127 * (byte - 256) ? SIGNED : PAIRS;
}

/** sum + codes . x, where x repeats four activations (relaxed: bytes; plain simd: the two even ones, i16). */
// @ts-ignore: decorator
@inline export function dot<D>(sum: v128, codes: v128, x: v128): v128 {
  if (!RELAXED) return i32x4.add(sum, i32x4.dot_i16x8_s(x, codes));
  if (is<D, Narrow>()) return i16x8.add(sum, i16x8.relaxed_dot_i8x16_i7x16_s(x, codes));
  if (is<D, Pairs>()) return i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(x, codes)));
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(x, codes, sum);
}

/** The activations of four columns at `x` for dotBytes; plain simd: the even two. */
// @ts-ignore: decorator
@inline export function firstOf(x: usize): v128 { return v128.load32_splat(x); }

/** Plain simd: the odd two. */
// @ts-ignore: decorator
@inline export function secondOf(x: usize): v128 { return RELAXED ? i32x4.splat(0) : v128.load32_splat(x, 4); }

/** A vector of byte codes against the activations of its four columns. `even` is 0x00FF in every i16 lane. */
// @ts-ignore: decorator
@inline export function dotBytes<D>(sum: v128, codes: v128, first: v128, second: v128, even: v128): v128 {
  if (RELAXED) return dot<D>(sum, is<D, Signed>() ? v128.xor(codes, i8x16.splat(-128)) : codes, first);
  return dot<D>(dot<D>(sum, v128.and(codes, even), first), i16x8.shr_u(codes, 8), second);
}

/** The i32 sums. */
// @ts-ignore: decorator
@inline export function widen<D>(sum: v128): v128 {
  return is<D, Narrow>() ? i32x4.extadd_pairwise_i16x8_s(sum) : sum;
}
