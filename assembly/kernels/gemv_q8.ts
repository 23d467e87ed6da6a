/**
 * One token x 8 rows of the int8 path, straight from the packed group. The order of summation is matmul_q8.ts's.
 * Bound by the vector units, not by instructions: writing the loop out, or 16 rows at once, made nothing faster (Zen 4).
 */
import { EVEN_BYTES, NIBBLES, highCodes, highPlane, lowCodes, lowPlane, nextPlanes, oddPlane } from '../weights/codes';
import { factorPairs, minima, scales, sixteenths, smallScales } from '../weights/scales';
import { Q6_K, Q8_0, codeBytes, hasMinimum, headerBytes, highBits, is, subs, superBytes, supers } from '../weights/types';
import { Narrow, ONES, Signed, Words, bias, dot, isBiased, isSplit, scaled, start, widen } from './dot';
import { Q8_BLOCK, Q8_CODES, Q8_SPLIT, q8_split } from './quantize';
import { addTerm } from './tiles_q8';

/** The activations of four columns at `x`; Words: the even two. */
// @ts-ignore: decorator
@inline function firstOf(x: usize): v128 { return v128.load32_splat(x); }

/** Words: the odd two. */
// @ts-ignore: decorator
@inline function secondOf<D>(x: usize): v128 { return is<D, Words>() ? v128.load32_splat(x, 4) : i32x4.splat(0); }

/** A vector of byte codes against the activations of its four columns. `even` is 0x00FF in every i16 lane. */
// @ts-ignore: decorator
@inline function dotBytes<W, D>(sum: v128, codes: v128, first: v128, second: v128, even: v128): v128 {
  if (is<D, Words>()) return dot<D>(dot<D>(sum, v128.and(codes, even), first), i16x8.shr_u(codes, 8), second);
  return dot<D>(sum, is<W, Q8_0>() && is<D, Signed>() ? v128.xor(codes, i8x16.splat(-128)) : codes, first);
}

/** Sums a: the first part or all; b: the second part (q6_K), or of the low split codes (q8_0). */
export function multiplyOne<W, D>(y: usize, x: usize, group: usize, k: i32): void {
  const half = Q8_BLOCK - Q8_CODES >> 1, nibble = v128.load64_splat(NIBBLES), high = v128.load64_splat(NIBBLES, 8 * highBits<W>());
  const even = v128.load64_splat(EVEN_BYTES), ones = v128.load64_splat(ONES), biases = i16x8.splat(<i16>bias<W, D>());
  let sum0 = f32x4.splat(0), sum1 = sum0, split = q8_split(x, k);
  for (let s = 0; s < supers<W>(k); s++) {
    let codes = group + headerBytes<W>();
    for (let sub: usize = 0; sub < subs<W>(); sub++) {
      let pairs = v128.load32_splat(x, 8), b0 = i32x4.splat(0);
      if (is<W, Q6_K>()) {
        const upper = v128.load32_splat(x, 12);
        pairs = i16x8.sub(pairs, upper);
        b0 = start<D>(upper, biases);
      }
      let a0 = bias<W, D>() ? start<D>(pairs, biases) : i32x4.splat(0), a1 = a0, b1 = b0;
      let low0 = lowPlane<W>(codes, 0), low1 = lowPlane<W>(codes, 1), high0 = highPlane<W>(codes, 0, low0), high1 = highPlane<W>(codes, 1, low1);
      let at = codes, from = isSplit<W, D>() ? split : x + Q8_CODES;
      for (let i = 0; i < 4; i++) {
        const raw0 = v128.load(at), raw1 = v128.load(at, 16);
        const c0 = lowCodes<W>(raw0, low0, nibble, high), c1 = lowCodes<W>(raw1, low1, nibble, high);
        const d0 = highCodes<W>(raw0, at, high0, nibble, high), d1 = highCodes<W>(raw1, at + 16, high1, nibble, high);
        const x0 = firstOf(from), x1 = secondOf<D>(from), z0 = firstOf(from + half), z1 = secondOf<D>(from + half);
        if (isSplit<W, D>()) {
          a0 = dot<D>(dot<D>(a0, c0, x0), d0, z0); a1 = dot<D>(dot<D>(a1, c1, x0), d1, z0);
          const u0 = v128.load32_splat(from, 32), v0 = v128.load32_splat(from, 48);
          b0 = dot<D>(dot<D>(b0, c0, u0), d0, v0); b1 = dot<D>(dot<D>(b1, c1, u0), d1, v0);
        } else {
          a0 = dotBytes<W, D>(a0, c0, x0, x1, even); a1 = dotBytes<W, D>(a1, c1, x0, x1, even);
          if (is<W, Q6_K>()) {
            b0 = dotBytes<W, D>(b0, d0, z0, z1, even); b1 = dotBytes<W, D>(b1, d1, z0, z1, even);
          } else {
            a0 = dotBytes<W, D>(a0, d0, z0, z1, even); a1 = dotBytes<W, D>(a1, d1, z0, z1, even);
          }
        }
        if (is<W, Q6_K>() && i == 1) {
          low0 = nextPlanes<W>(lowPlane<W>(codes, 0)); low1 = nextPlanes<W>(lowPlane<W>(codes, 1));
          high0 = nextPlanes<W>(highPlane<W>(codes, 0, low0)); high1 = nextPlanes<W>(highPlane<W>(codes, 1, low1));
        } else {
          low0 = oddPlane<W>(low0); low1 = oddPlane<W>(low1); high0 = oddPlane<W>(high0); high1 = oddPlane<W>(high1);
        }
        at += 32;
        from += half >> 2;
      }
      const small = smallScales<W>(group, sub), d = v128.load32_splat(x), dSum = hasMinimum<W>() ? v128.load32_splat(x, 4) : d;
      sum0 = addTerm<W>(sum0, combine<W, D>(a0, b0, pairs, biases, ones, small, 0), scales<W>(group, small, 0), minima<W>(group, small, 0), d, dSum);
      sum1 = addTerm<W>(sum1, combine<W, D>(a1, b1, pairs, biases, ones, small, 1), scales<W>(group, small, 1), minima<W>(group, small, 1), d, dSum);
      codes += codeBytes<W>();
      x += Q8_BLOCK;
      split += Q8_SPLIT;
    }
    group += superBytes<W>();
  }
  v128.store(y, sum0);
  v128.store(y, sum1, 16);
}

/** The integer sum of a block. */
// @ts-ignore: decorator
@inline function combine<W, D>(a: v128, b: v128, pairs: v128, biases: v128, ones: v128, small: v128, half: i32): v128 {
  if (isSplit<W, D>()) return i32x4.add(i32x4.shl(widen<D>(a, ones), 4), widen<D>(b, ones));
  if (is<W, Q6_K>()) return i32x4.add(scaled<D>(a, factorsOf<D>(small, 0, half)), scaled<D>(b, factorsOf<D>(small, 1, half)));
  if (isBiased<W, D>()) return i32x4.sub(widen<D>(a, ones), i32x4.dot_i16x8_s(pairs, biases));
  return widen<D>(a, ones);
}

// @ts-ignore: decorator
@inline function factorsOf<D>(small: v128, part: i32, half: i32): v128 {
  return is<D, Narrow>() ? factorPairs(small, part, half) : sixteenths(small, part, half);
}
