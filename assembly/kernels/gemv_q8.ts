/**
 * One token x 8 rows of the int8 path, straight from the packed group. The order of summation is matmul_q8.ts's.
 * Bound by the vector units (of vector operations as of the loop's own: 2.8 a cycle of at most 4, Zen 4): what counts is how few
 * of them take a code out and use it. 16 rows at once, or splats by shuffles, made nothing faster.
 */
import { EVEN_BYTES, chunkCodes, maskOf } from '../weights/codes';
import { integerScales, wideness, powers } from '../weights/integers';
import { BLOCK_MINIMA, BLOCK_SCALES, SIXTEENTHS, minima, scales } from '../weights/scales';
import { BLOCK, codeBytes, groupHead, hasIntegers, hasMinimum, hasSums, headerBytes, highBits, is, isBytes, subs, superBytes, supers } from '../weights/types';
import { Narrow, ONES, Signed, Words, bias, biases, dot, inIntegers, isBiased, isSplit, product, scaled, start, widen } from './dot';
import { Q8_BLOCK, Q8_CODES, Q8_SPLIT, Q8_SUMS, Q8_SUMS_SCALE, q8_split, q8_sums } from './quantize';
import { addTerm, addTerms } from './tiles_q8';

/** A vector of byte codes against the activations of its four columns at `x`. `even` is 0x00FF in every i16 lane. */
// @ts-ignore: decorator
@inline function dotBytes<W, D>(sum: v128, codes: v128, x: usize, even: v128): v128 {
  const first = v128.load32_splat(x);
  if (is<D, Words>()) return dot<D>(dot<D>(sum, v128.and(codes, even), first), i16x8.shr_u(codes, 8), v128.load32_splat(x, 4));
  return dot<D>(sum, isBytes<W>() && is<D, Signed>() ? v128.xor(codes, i8x16.splat(-128)) : codes, first);
}

/** The same from 0: Narrow's first product needs no addition. */
// @ts-ignore: decorator
@inline function beginBytes<W, D>(codes: v128, x: usize, even: v128): v128 {
  return is<D, Narrow>() ? product<D>(codes, v128.load32_splat(x)) : dotBytes<W, D>(i32x4.splat(0), codes, x, even);
}

/** Bytes of the activations of four columns. */
// @ts-ignore: decorator
@inline function chunkStep<D>(): usize { return is<D, Words>() ? 8 : 4; }

/** Chunks `first` to `first` + 3 of a half, whose activations are at `x`. */
// @ts-ignore: decorator
@inline function dotFour<W, D>(sum: v128, at: usize, first: i32, x: usize, m: v128, n: v128, o: v128, even: v128): v128 {
  const step = chunkStep<D>();
  sum = dotBytes<W, D>(sum, chunkCodes<W>(at, first, m, n, o), x, even);
  sum = dotBytes<W, D>(sum, chunkCodes<W>(at, first + 1, m, n, o), x + step, even);
  sum = dotBytes<W, D>(sum, chunkCodes<W>(at, first + 2, m, n, o), x + 2 * step, even);
  return dotBytes<W, D>(sum, chunkCodes<W>(at, first + 3, m, n, o), x + 3 * step, even);
}

/** The same, from 0. */
// @ts-ignore: decorator
@inline function beginFour<W, D>(at: usize, first: i32, x: usize, m: v128, n: v128, o: v128, even: v128): v128 {
  const step = chunkStep<D>();
  let sum = beginBytes<W, D>(chunkCodes<W>(at, first, m, n, o), x, even);
  sum = dotBytes<W, D>(sum, chunkCodes<W>(at, first + 1, m, n, o), x + step, even);
  sum = dotBytes<W, D>(sum, chunkCodes<W>(at, first + 2, m, n, o), x + 2 * step, even);
  return dotBytes<W, D>(sum, chunkCodes<W>(at, first + 3, m, n, o), x + 3 * step, even);
}

/**
 * All types without superblocks. Sums b: of the low parts of split activations. The first four vectors of codes stand before a loop over the
 * others: V8 unrolls three rounds whole, of four it keeps every branch and counter, and with all written out the compilers finish one sum before the next and
 * keep what was read until then. Five bits, most of whose work is taking codes out, are better without.
 */
export function multiplyOne<W, D>(y: usize, x: usize, group: usize, k: i32): void {
  const m = maskOf<W>(0), n = maskOf<W>(1), o = maskOf<W>(2), even = v128.load64_splat(EVEN_BYTES), ones = v128.load64_splat(ONES);
  const offsets = biases<W, D>();
  const high: usize = 4 * chunkStep<D>();
  const wide = hasIntegers<W>() ? wideness(group) : 0;
  let sum0 = f32x4.splat(0), sum1 = sum0, head = group + groupHead<W>();
  if (isSplit<W, D>()) x = q8_split(x, k);
  for (let block = k / BLOCK; block > 0; block--) {
    const pairs = v128.load32_splat(x, 8), begun = bias<W, D>() ? start<D>(pairs, offsets) : i32x4.splat(0);
    let code = head + headerBytes<W>(), from = x + Q8_CODES;
    let a0: v128, a1: v128, b0 = begun, b1 = begun;
    if (highBits<W>() == 1) {
      a0 = dotFour<W, D>(dotFour<W, D>(begun, code, 0, from, m, n, o, even), code, 4, from + high, m, n, o, even);
      a1 = dotFour<W, D>(dotFour<W, D>(begun, code + 16, 0, from, m, n, o, even), code + 16, 4, from + high, m, n, o, even);
    } else {
      const c0 = chunkCodes<W>(code, 0, m, n, o), c1 = chunkCodes<W>(code + 16, 0, m, n, o);
      const d0 = chunkCodes<W>(code, 4, m, n, o), d1 = chunkCodes<W>(code + 16, 4, m, n, o);
      a0 = dotBytes<W, D>(begun, c0, from, even), a1 = dotBytes<W, D>(begun, c1, from, even);
      a0 = dotBytes<W, D>(a0, d0, from + high, even), a1 = dotBytes<W, D>(a1, d1, from + high, even);
      if (isSplit<W, D>()) {
        const u = v128.load32_splat(from, 32), v = v128.load32_splat(from, 48);
        b0 = dot<D>(product<D>(c0, u), d0, v), b1 = dot<D>(product<D>(c1, u), d1, v);
      }
      for (let i = 0; i < 3; i++) {
        code += 32;
        from += chunkStep<D>();
        const c0 = chunkCodes<W>(code, 0, m, n, o), c1 = chunkCodes<W>(code + 16, 0, m, n, o);
        const d0 = chunkCodes<W>(code, 4, m, n, o), d1 = chunkCodes<W>(code + 16, 4, m, n, o);
        a0 = dotBytes<W, D>(a0, c0, from, even), a1 = dotBytes<W, D>(a1, c1, from, even);
        a0 = dotBytes<W, D>(a0, d0, from + high, even), a1 = dotBytes<W, D>(a1, d1, from + high, even);
        if (isSplit<W, D>()) {
          const u = v128.load32_splat(from, 32), v = v128.load32_splat(from, 48);
          b0 = dot<D>(dot<D>(b0, c0, u), d0, v), b1 = dot<D>(dot<D>(b1, c1, u), d1, v);
        }
      }
    }
    const d = v128.load32_splat(x);
    if (inIntegers<W, D>() && !wide) {
      const scale = v128.load(head);
      sum0 = f32x4.add(sum0, f32x4.mul(d, f32x4.convert_i32x4_s(scaled<D>(a0, integerScales(scale, 0)))));
      sum1 = f32x4.add(sum1, f32x4.mul(d, f32x4.convert_i32x4_s(scaled<D>(a1, integerScales(scale, 1)))));
    } else {
      const dSum = hasMinimum<W>() ? v128.load32_splat(x, 4) : d;
      sum0 = addTerm<W>(sum0, combine<W, D>(a0, b0, pairs, offsets, ones), scales<W>(head, d, 0, wide), minima<W>(head, d, 0), d, dSum);
      sum1 = addTerm<W>(sum1, combine<W, D>(a1, b1, pairs, offsets, ones), scales<W>(head, d, 1, wide), minima<W>(head, d, 1), d, dSum);
    }
    x += isSplit<W, D>() ? Q8_SPLIT : Q8_BLOCK;
    head += superBytes<W>();
  }
  v128.store(y, hasIntegers<W>() ? f32x4.mul(sum0, powers(group, 0)) : sum0);
  v128.store(y, hasIntegers<W>() ? f32x4.mul(sum1, powers(group, 1)) : sum1, 16);
}

/** Of each i16: the lowest four bits, the next, the next. From memory like the masks in codes.ts. */
const NIBBLES: usize = memory.data<u64>([0x000F000F000F000F, 0x00F000F000F000F0, 0x0F000F000F000F00]);

/**
 * 4 bits in plain simd. The codes stay where they lie in a word, 1, 16 and 256 times as large, and their sums are put right: 12 operations for a
 * vector of codes instead of 15. Written out for q4_K too, because sums that leave through memory are a seventh slower.
 */
export function multiplyOneInPlace<W>(y: usize, x: usize, group: usize, k: i32): void {
  const low = v128.load64_splat(NIBBLES), second = v128.load64_splat(NIBBLES + 8), third = v128.load64_splat(NIBBLES + 16), offsets = biases<W, Words>();
  const wide = hasIntegers<W>() ? wideness(group) : 0;
  let sum0 = f32x4.splat(0), sum1 = sum0, terms0 = sum0, terms1 = sum0, sums = q8_sums(x, k);
  let head = group + groupHead<W>(), codes = head + headerBytes<W>(), small = head;
  for (let block = k / BLOCK; block > 0; block--) {
    const begun = bias<W, Words>() ? start<Words>(v128.load32_splat(x, 8), offsets) : i32x4.splat(0);
    let from = x + Q8_CODES, u = v128.load(codes), v = v128.load(codes, 16), w = v128.load32_splat(from);
    let a0 = dot<Words>(begun, v128.and(u, low), w), a1 = dot<Words>(begun, v128.and(v, low), w);
    w = v128.load32_splat(from, 4);
    let c0 = product<Words>(v128.and(u, third), w), c1 = product<Words>(v128.and(v, third), w);
    w = v128.load32_splat(from, 32);
    let b0 = product<Words>(v128.and(u, second), w), b1 = product<Words>(v128.and(v, second), w);
    w = v128.load32_splat(from, 36);
    a0 = dot<Words>(a0, i16x8.shr_u(u, 12), w), a1 = dot<Words>(a1, i16x8.shr_u(v, 12), w);
    for (let i = 0; i < 3; i++) {
      codes += 32;
      from += 8;
      u = v128.load(codes), v = v128.load(codes, 16), w = v128.load32_splat(from);
      a0 = dot<Words>(a0, v128.and(u, low), w), a1 = dot<Words>(a1, v128.and(v, low), w);
      w = v128.load32_splat(from, 4);
      c0 = dot<Words>(c0, v128.and(u, third), w), c1 = dot<Words>(c1, v128.and(v, third), w);
      w = v128.load32_splat(from, 32);
      b0 = dot<Words>(b0, v128.and(u, second), w), b1 = dot<Words>(b1, v128.and(v, second), w);
      w = v128.load32_splat(from, 36);
      a0 = dot<Words>(a0, i16x8.shr_u(u, 12), w), a1 = dot<Words>(a1, i16x8.shr_u(v, 12), w);
    }
    a0 = i32x4.add(a0, i32x4.add(i32x4.shr_s(b0, 4), i32x4.shr_s(c0, 8)));
    a1 = i32x4.add(a1, i32x4.add(i32x4.shr_s(b1, 4), i32x4.shr_s(c1, 8)));
    const d = v128.load32_splat(x);
    x += Q8_BLOCK;
    codes += 32;
    if (!hasSums<W>()) {
      const dSum = hasMinimum<W>() ? v128.load32_splat(x - Q8_BLOCK, 4) : d;
      sum0 = addTerm<W>(sum0, a0, scales<W>(head, d, 0, wide), minima<W>(head, d, 0), d, dSum);
      sum1 = addTerm<W>(sum1, a1, scales<W>(head, d, 1, wide), minima<W>(head, d, 1), d, dSum);
      head = codes;
      codes += headerBytes<W>();
      continue;
    }
    const words = v128.load8x8_u(small, BLOCK_SCALES);
    terms0 = f32x4.add(terms0, f32x4.mul(d, f32x4.convert_i32x4_s(scaled<Words>(a0, factorsOf<Words>(words, 0)))));
    terms1 = f32x4.add(terms1, f32x4.mul(d, f32x4.convert_i32x4_s(scaled<Words>(a1, factorsOf<Words>(words, 1)))));
    small += 8;
    if ((block & 7) != 1) continue;
    const e = v128.load32_splat(sums, Q8_SUMS_SCALE);
    sum0 = addTerms(sum0, terms0, minimaOf(head + BLOCK_MINIMA, sums), v128.load(head), v128.load(head, 32), e);
    sum1 = addTerms(sum1, terms1, minimaOf(head + BLOCK_MINIMA + 8, sums), v128.load(head, 16), v128.load(head, 48), e);
    terms0 = terms1 = f32x4.splat(0);
    sums += Q8_SUMS;
    head = small = codes;
    codes += headerBytes<W>();
  }
  v128.store(y, hasIntegers<W>() ? f32x4.mul(sum0, powers(group, 0)) : sum0);
  v128.store(y, hasIntegers<W>() ? f32x4.mul(sum1, powers(group, 1)) : sum1, 16);
}

/** The integer sum of a block. */
// @ts-ignore: decorator
@inline function combine<W, D>(a: v128, b: v128, pairs: v128, offsets: v128, ones: v128): v128 {
  if (isSplit<W, D>()) return i32x4.add(widen<D>(a, i16x8.shl(ones, 4)), widen<D>(b, ones));
  if (isBiased<W, D>()) return i32x4.sub(widen<D>(a, ones), i32x4.dot_i16x8_s(pairs, offsets));
  return widen<D>(a, ones);
}

/** q6_K: 16 columns at a time, each with a factor of its own. */
export function multiplyOneInParts<W, D>(y: usize, x: usize, group: usize, k: i32): void {
  const m = maskOf<W>(0), even = v128.load64_splat(EVEN_BYTES), offsets = biases<W, D>();
  let sum0 = f32x4.splat(0), sum1 = sum0;
  for (let s = supers<W>(k); s > 0; s--) {
    let code = group + headerBytes<W>(), factors = group + SIXTEENTHS;
    for (let sub: usize = 0; sub < subs<W>(); sub++) {
      const upper = v128.load32_splat(x, 12);
      let pairs = i16x8.sub(v128.load32_splat(x, 8), upper), isum0: v128, isum1: v128, from = x + Q8_CODES;
      isum0 = isum1 = pairs;
      for (let part = 0; part < 2; part++) {
        let a0 = start<D>(pairs, offsets), a1 = a0;
        a0 = dotFour<W, D>(a0, code, 0, from, m, m, m, even);
        a1 = dotFour<W, D>(a1, code + 16, 0, from, m, m, m, even);
        const words = v128.load8x8_s(factors);
        const t0 = scaled<D>(a0, factorsOf<D>(words, 0)), t1 = scaled<D>(a1, factorsOf<D>(words, 1));
        if (part == 0) isum0 = t0, isum1 = t1;
        else isum0 = i32x4.add(isum0, t0), isum1 = i32x4.add(isum1, t1);
        pairs = upper;
        code += codeBytes<W>() >> 1;
        factors += 8;
        from += 4 * chunkStep<D>();
      }
      const d = v128.load32_splat(x);
      sum0 = addTerm<W>(sum0, isum0, v128.load(group), d, d, d);
      sum1 = addTerm<W>(sum1, isum1, v128.load(group, 16), d, d, d);
      x += Q8_BLOCK;
    }
    group += superBytes<W>();
  }
  v128.store(y, sum0);
  v128.store(y, sum1, 16);
}

/** q4_K, q5_K. */
export function multiplyOneWithSums<W, D>(y: usize, x: usize, group: usize, k: i32): void {
  const m = maskOf<W>(0), n = maskOf<W>(1), o = maskOf<W>(2), even = v128.load64_splat(EVEN_BYTES);
  let sum0 = f32x4.splat(0), sum1 = sum0, sums = q8_sums(x, k);
  for (let s = supers<W>(k); s > 0; s--) {
    let at = group + headerBytes<W>(), terms0 = f32x4.splat(0), terms1 = terms0;
    for (let small = group; small < group + 64; small += 8) {
      const words = v128.load8x8_u(small, BLOCK_SCALES), factors0 = factorsOf<D>(words, 0), factors1 = factorsOf<D>(words, 1);
      let from = x + Q8_CODES;
      let isum0: v128, isum1: v128;
      if (highBits<W>() == 1) {
        isum0 = sumOfFives<W, D>(at, from, factors0, m, n, o, even);
        isum1 = sumOfFives<W, D>(at + 16, from, factors1, m, n, o, even);
      } else {
        const a0 = beginBytes<W, D>(chunkCodes<W>(at, 0, m, n, o), from, even), a1 = beginBytes<W, D>(chunkCodes<W>(at + 16, 0, m, n, o), from, even);
        isum0 = dotBytes<W, D>(a0, chunkCodes<W>(at, 4, m, n, o), from + 4 * chunkStep<D>(), even);
        isum1 = dotBytes<W, D>(a1, chunkCodes<W>(at + 16, 4, m, n, o), from + 4 * chunkStep<D>(), even);
        let code = at;
        for (let i = 0; i < 3; i++) {
          code += 32;
          from += chunkStep<D>();
          const c0 = chunkCodes<W>(code, 0, m, n, o), c1 = chunkCodes<W>(code + 16, 0, m, n, o);
          const d0 = chunkCodes<W>(code, 4, m, n, o), d1 = chunkCodes<W>(code + 16, 4, m, n, o);
          isum0 = dotBytes<W, D>(isum0, c0, from, even); isum1 = dotBytes<W, D>(isum1, c1, from, even);
          isum0 = dotBytes<W, D>(isum0, d0, from + 4 * chunkStep<D>(), even); isum1 = dotBytes<W, D>(isum1, d1, from + 4 * chunkStep<D>(), even);
        }
        isum0 = scaled<D>(isum0, factors0);
        isum1 = scaled<D>(isum1, factors1);
      }
      const d = v128.load32_splat(x);
      terms0 = f32x4.add(terms0, f32x4.mul(d, f32x4.convert_i32x4_s(isum0)));
      terms1 = f32x4.add(terms1, f32x4.mul(d, f32x4.convert_i32x4_s(isum1)));
      at += codeBytes<W>();
      x += Q8_BLOCK;
    }
    const e = v128.load32_splat(sums, Q8_SUMS_SCALE);
    sum0 = addTerms(sum0, terms0, minimaOf(group + BLOCK_MINIMA, sums), v128.load(group), v128.load(group, 32), e);
    sum1 = addTerms(sum1, terms1, minimaOf(group + BLOCK_MINIMA + 8, sums), v128.load(group, 16), v128.load(group, 48), e);
    sums += Q8_SUMS;
    group += superBytes<W>();
  }
  v128.store(y, sum0);
  v128.store(y, sum1, 16);
}

/** Scale x integer sum of four rows of a block of five bits. In two parts: a sum of i16 holds no more than 16 columns of them. */
// @ts-ignore: decorator
@inline function sumOfFives<W, D>(at: usize, x: usize, factors: v128, m: v128, n: v128, o: v128, even: v128): v128 {
  const upper = x + 4 * chunkStep<D>(), first = beginFour<W, D>(at, 0, x, m, n, o, even);
  if (!is<D, Narrow>()) return scaled<D>(dotFour<W, D>(first, at, 4, upper, m, n, o, even), factors);
  return i32x4.add(scaled<D>(first, factors), scaled<D>(beginFour<W, D>(at, 4, upper, m, n, o, even), factors));
}

/** The sum over a superblock of minimum x S. */
// @ts-ignore: decorator
@inline function minimaOf(at: usize, sums: usize): v128 {
  const first = i32x4.add(i32x4.dot_i16x8_s(v128.load8x8_u(at), v128.load32_splat(sums)), i32x4.dot_i16x8_s(v128.load8x8_u(at, 16), v128.load32_splat(sums, 4)));
  return i32x4.add(first, i32x4.add(i32x4.dot_i16x8_s(v128.load8x8_u(at, 32), v128.load32_splat(sums, 8)), i32x4.dot_i16x8_s(v128.load8x8_u(at, 48), v128.load32_splat(sums, 12))));
}

/** Factors of rows 4 * half.. as `scaled` wants them. */
// @ts-ignore: decorator
@inline function factorsOf<D>(words: v128, half: i32): v128 {
  if (is<D, Narrow>()) return integerScales(words, half);
  return half ? i32x4.extend_high_i16x8_s(words) : i32x4.extend_low_i16x8_s(words);
}
