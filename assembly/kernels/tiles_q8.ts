/**
 * GEMM tiles of the int8 path: a few tokens x 8 rows from an integer panel (panel_q8.ts). Integer sums stay in
 * registers; the f32 sums live in y, which the caller has zeroed. The order of summation is matmul_q8.ts's.
 */
import { RELAXED } from '../lanes';
import { Q6_K, hasMinimum, is } from '../weights/types';
import { Narrow, dot, widen } from './dot';
import { PANEL_HEADER, PANEL_STEPS, panelBlock, panelCodes } from './panel_q8';
import { Q8_BLOCK, Q8_CODES } from './quantize';

/** sum + scale * (d * f32(isum)) [+ minimum * (d x sum)], for an activation block at x. */
// @ts-ignore: decorator
@inline export function addTerm<W>(sum: v128, isum: v128, scale: v128, minimum: v128, x: usize): v128 {
  const term = f32x4.mul(scale, f32x4.mul(v128.load32_splat(x), f32x4.convert_i32x4_s(isum)));
  return f32x4.add(sum, hasMinimum<W>() ? f32x4.add(term, f32x4.mul(minimum, v128.load32_splat(x, 4))) : term);
}

/** What the sums of a token start from: -offset x the sum of its activations. Narrow sums get it in the end. */
// @ts-ignore: decorator
@inline function start<W>(x: usize, offset: v128): v128 {
  return !RELAXED || hasMinimum<W>() ? i32x4.splat(0) : i32x4.mul(v128.load32_splat(x, 8), offset);
}

// @ts-ignore: decorator
@inline function first<W, D>(x: usize, offset: v128): v128 { return is<D, Narrow>() ? i32x4.splat(0) : start<W>(x, offset); }

// @ts-ignore: decorator
@inline function addTerms<W>(y: usize, isum0: v128, isum1: v128, panel: usize, x: usize): void {
  v128.store(y, addTerm<W>(v128.load(y), isum0, v128.load(panel), v128.load(panel, 32), x));
  v128.store(y, addTerm<W>(v128.load(y, 16), isum1, v128.load(panel, 16), v128.load(panel, 48), x), 16);
}

// @ts-ignore: decorator
@inline function finish<W, D>(y: usize, sum0: v128, sum1: v128, panel: usize, x: usize, offset: v128): void {
  if (is<D, Narrow>()) {
    const begin = start<W>(x, offset);
    addTerms<W>(y, i32x4.add(widen<D>(sum0), begin), i32x4.add(widen<D>(sum1), begin), panel, x);
  } else addTerms<W>(y, sum0, sum1, panel, x);
}

/** 4 tokens x 8 rows. W stands for any type with (Q4_1) or without (Q4_0) minimum. */
export function multiplyBlocks<W, D>(y: usize, x: usize, panel: usize, k: i32, yBytes: usize, xBytes: usize, bias: i32): void {
  const yb = y + yBytes, yc = yb + yBytes, yd = yc + yBytes, offset = i32x4.splat(bias);
  let xa = x, xb = xa + xBytes, xc = xb + xBytes, xd = xc + xBytes;
  for (let block = k >> 5; block > 0; block--) {
    let a0 = first<W, D>(xa, offset), b0 = first<W, D>(xb, offset), c0 = first<W, D>(xc, offset), d0 = first<W, D>(xd, offset);
    let a1 = a0, b1 = b0, c1 = c0, d1 = d0;
    let codes = panel + PANEL_HEADER, qa = xa + Q8_CODES, qb = xb + Q8_CODES, qc = xc + Q8_CODES, qd = xd + Q8_CODES;
    for (let i = 0; i < PANEL_STEPS; i += 2) {
      let w0 = v128.load(codes), w1 = v128.load(codes, 16);
      let q = v128.load32_splat(qa); a0 = dot<D>(a0, w0, q); a1 = dot<D>(a1, w1, q);
      q = v128.load32_splat(qb); b0 = dot<D>(b0, w0, q); b1 = dot<D>(b1, w1, q);
      q = v128.load32_splat(qc); c0 = dot<D>(c0, w0, q); c1 = dot<D>(c1, w1, q);
      q = v128.load32_splat(qd); d0 = dot<D>(d0, w0, q); d1 = dot<D>(d1, w1, q);
      w0 = v128.load(codes, 32); w1 = v128.load(codes, 48);
      q = v128.load32_splat(qa, 4); a0 = dot<D>(a0, w0, q); a1 = dot<D>(a1, w1, q);
      q = v128.load32_splat(qb, 4); b0 = dot<D>(b0, w0, q); b1 = dot<D>(b1, w1, q);
      q = v128.load32_splat(qc, 4); c0 = dot<D>(c0, w0, q); c1 = dot<D>(c1, w1, q);
      q = v128.load32_splat(qd, 4); d0 = dot<D>(d0, w0, q); d1 = dot<D>(d1, w1, q);
      codes += 64; qa += 8; qb += 8; qc += 8; qd += 8;
    }
    finish<W, D>(y, a0, a1, panel, xa, offset);
    finish<W, D>(yb, b0, b1, panel, xb, offset);
    finish<W, D>(yc, c0, c1, panel, xc, offset);
    finish<W, D>(yd, d0, d1, panel, xd, offset);
    panel += panelBlock<W, D>();
    xa += Q8_BLOCK; xb += Q8_BLOCK; xc += Q8_BLOCK; xd += Q8_BLOCK;
  }
}

/**
 * 2 tokens x 8 rows with two integer sums for each: q6_K's columns 0..15 and 16..31, or q8_0's low and high nibbles
 * (Narrow). The header of a q6_K panel block holds the factors.
 */
export function multiplyParts<W, D>(y: usize, x: usize, panel: usize, k: i32, yBytes: usize, xBytes: usize): void {
  const split = is<W, Q6_K>(), steps = split ? 4 : 8, second: usize = split ? 16 : 0, plane: usize = split ? 128 : 256;
  let xa = x, xb = xa + xBytes;
  for (let block = k >> 5; block > 0; block--) {
    let a0 = firstPart<D>(xa), b0 = firstPart<D>(xb), c0 = secondPart<D>(xa), d0 = secondPart<D>(xb);
    let a1 = a0, b1 = b0, c1 = c0, d1 = d0;
    let codes = panel + panelCodes<W>(), qa = xa + Q8_CODES, qb = xb + Q8_CODES;
    for (let i = 0; i < steps; i++) {
      let w0 = v128.load(codes), w1 = v128.load(codes, 16);
      let q = v128.load32_splat(qa); a0 = dot<D>(a0, w0, q); a1 = dot<D>(a1, w1, q);
      q = v128.load32_splat(qb); b0 = dot<D>(b0, w0, q); b1 = dot<D>(b1, w1, q);
      w0 = v128.load(codes + plane); w1 = v128.load(codes + plane, 16);
      q = v128.load32_splat(qa + second); c0 = dot<D>(c0, w0, q); c1 = dot<D>(c1, w1, q);
      q = v128.load32_splat(qb + second); d0 = dot<D>(d0, w0, q); d1 = dot<D>(d1, w1, q);
      codes += 32; qa += 4; qb += 4;
    }
    addParts<W, D>(y, a0, c0, a1, c1, panel, xa);
    addParts<W, D>(y + yBytes, b0, d0, b1, d1, panel, xb);
    panel += panelBlock<W, D>();
    xa += Q8_BLOCK; xb += Q8_BLOCK;
  }
}

/** q6_K: -32 x the sum of the activations of columns 0..15, or 16..31. Nibbles start from 0. */
// @ts-ignore: decorator
@inline function firstPart<D>(x: usize): v128 { return is<D, Narrow>() ? i32x4.splat(0) : i32x4.shl(i32x4.sub(v128.load32_splat(x, 8), v128.load32_splat(x, 12)), 5); }
// @ts-ignore: decorator
@inline function secondPart<D>(x: usize): v128 { return is<D, Narrow>() ? i32x4.splat(0) : i32x4.shl(v128.load32_splat(x, 12), 5); }

// @ts-ignore: decorator
@inline function addParts<W, D>(y: usize, low0: v128, high0: v128, low1: v128, high1: v128, panel: usize, x: usize): void {
  addTerms<W>(y, weighted<D>(low0, high0, panel, x), weighted<D>(low1, high1, panel + 16, x), panel, x);
}

// @ts-ignore: decorator
@inline function weighted<D>(low: v128, high: v128, panel: usize, x: usize): v128 {
  if (is<D, Narrow>()) return i32x4.add(i32x4.add(widen<D>(low), i32x4.shl(v128.load32_splat(x, 8), 7)), i32x4.shl(widen<D>(high), 4));
  return i32x4.add(i32x4.mul(low, v128.load(panel, PANEL_HEADER)), i32x4.mul(high, v128.load(panel, PANEL_HEADER + 32)));
}
