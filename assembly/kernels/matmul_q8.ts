/**
 * y[m][n] = x[m][k] * w^T for packed quantised weights and activations quantised to int8 (quantize.ts), groups
 * firstGroup..endGroup of 8 output columns (rows of w). Whole groups are stored: yStride (elements) >= n rounded up
 * to 8; rows of xq are q8_row_bytes(k) apart; scratch is matmul_scratch_bytes(k).
 *
 * Order of summation (contract, the same bits in every build, for every m and every split into groups):
 *   sum = 0; for each block of 32 columns, ascending: sum = sum + term, where
 *   isum = exact integer sum of code_w * code_x, the offset of symmetric types taken off code_w
 *          (q6_K: sixteenth[0] * sum over columns 0..15 + sixteenth[1] * sum over 16..31), and
 *   term = scale * (d * f32(isum))                               symmetric types
 *   term = scale * (d * f32(isum)) + minimum * (d x sum)         types with a minimum
 * each operation rounded to f32; scale and minimum as in scales.ts, d and (d x sum) as in quantize.ts.
 */
import { RELAXED, SIMD } from '../lanes';
import { EVEN_BYTES, NIBBLES, codeAt, highCodes, highPlane, lowCodes, lowPlane, nextPlane } from '../weights/codes';
import { minima, minimumAt, scaleAt, scales, sixteenthAt, sixteenths, smallScales } from '../weights/scales';
import {
  Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0, codeBytes, groupBytes, hasMinimum, headerBytes, highBits, is, offset, subs, superBytes, supers,
} from '../weights/types';
import { Direct, Narrow, PAIRS, Pairs, SIGNED, Signed, dot, dotBytes, firstOf, probe, secondOf, widen } from './dot';
import { unpackCodes } from './panel_q8';
import { Q8_BLOCK, Q8_CODES, q8_row_bytes } from './quantize';
import { addTerm, multiplyBlocks, multiplyParts } from './tiles_q8';

/** Picks the dot that this machine does best; all give the same integers. */
// @ts-ignore: decorator
@inline function matmul<W>(y: usize, xq: usize, w: usize, scratch: usize, m: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  const kind = RELAXED ? probe(m) : 0;
  if (RELAXED && kind == PAIRS) {
    if (is<W, Q6_K>()) multiplyGroups<W, Pairs>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
    else multiplyGroups<W, Narrow>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
  } else if (RELAXED && is<W, Q8_0>() && kind == SIGNED) multiplyGroups<W, Signed>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
  else multiplyGroups<W, Direct>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}

function multiplyGroups<W, D>(y: usize, xq: usize, w: usize, scratch: usize, m: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  const yBytes = <usize>yStride << 2, xBytes = q8_row_bytes(k);
  for (let group = firstGroup; group < endGroup; group++) {
    const packed = w + <usize>group * groupBytes<W>(k);
    let to = y + (<usize>group << 5), x = xq, token = 0;
    if (SIMD && m >= 4) {
      unpackCodes<W, D>(scratch, packed, k);
      for (; token + 4 <= m; token += 4) {
        multiplyFour<W, D>(to, x, scratch, k, yBytes, xBytes);
        to += yBytes << 2;
        x += xBytes << 2;
      }
    }
    for (; token < m; token++) {
      if (SIMD) multiplyOne<W, D>(to, x, packed, k);
      else multiplyOneByValue<W>(to, x, packed, k);
      to += yBytes;
      x += xBytes;
    }
  }
}

/** Four tokens against a panel. */
// @ts-ignore: decorator
@inline function multiplyFour<W, D>(y: usize, x: usize, panel: usize, k: i32, yBytes: usize, xBytes: usize): void {
  for (let row: usize = 0; row < 4; row++) {
    v128.store(y + row * yBytes, i32x4.splat(0));
    v128.store(y + row * yBytes, i32x4.splat(0), 16);
  }
  if (RELAXED && (is<W, Q6_K>() || is<W, Q8_0>() && is<D, Narrow>())) {
    multiplyParts<W, D>(y, x, panel, k, yBytes, xBytes);
    multiplyParts<W, D>(y + (yBytes << 1), x + (xBytes << 1), panel, k, yBytes, xBytes);
  } else {
    const bias = RELAXED && !is<D, Signed>() ? offset<W>() : 0;
    // Eight sums of 5-bit codes do not fit in i16.
    if (is<D, Narrow>() && highBits<W>() == 1) multiplyStandIn<W, Pairs>(y, x, panel, k, yBytes, xBytes, bias);
    else if (is<D, Signed>()) multiplyStandIn<W, Direct>(y, x, panel, k, yBytes, xBytes, bias);
    else multiplyStandIn<W, D>(y, x, panel, k, yBytes, xBytes, bias);
  }
}

/** One tile for all types with a minimum, one for all without. */
// @ts-ignore: decorator
@inline function multiplyStandIn<W, D>(y: usize, x: usize, panel: usize, k: i32, yBytes: usize, xBytes: usize, bias: i32): void {
  if (hasMinimum<W>()) multiplyBlocks<Q4_1, D>(y, x, panel, k, yBytes, xBytes, bias);
  else multiplyBlocks<Q4_0, D>(y, x, panel, k, yBytes, xBytes, bias);
}

/** What a sum of one token starts from: -offset x the sum of its activations. */
// @ts-ignore: decorator
@inline function start<W, D>(minusSum: v128): v128 {
  return is<D, Signed>() || offset<W>() == 0 ? i32x4.splat(0) : i32x4.shl(minusSum, 3 + highBits<W>());
}

/** One token x 8 rows, straight from the packed group. */
// @ts-ignore: decorator
@inline function multiplyOne<W, D>(y: usize, x: usize, group: usize, k: i32): void {
  const half = Q8_BLOCK - Q8_CODES >> 1, nibble = v128.load64_splat(NIBBLES), high = v128.load64_splat(NIBBLES, 8 * highBits<W>());
  const even = v128.load64_splat(EVEN_BYTES);
  let sum0 = f32x4.splat(0), sum1 = sum0;
  for (let s = 0; s < supers<W>(k); s++) {
    let codes = group + headerBytes<W>();
    for (let sub: usize = 0; sub < subs<W>(); sub++) {
      // Rows 0..3 and 4..7; two sums each, see combine.
      const minusSum = v128.load32_splat(x, 8), minusHigh = is<W, Q6_K>() ? v128.load32_splat(x, 12) : minusSum;
      const begin = start<W, D>(is<W, Q6_K>() ? i32x4.sub(minusSum, minusHigh) : minusSum);
      let a0 = is<D, Narrow>() ? i32x4.splat(0) : begin, a1 = a0, b0 = is<W, Q6_K>() ? start<W, D>(minusHigh) : i32x4.splat(0), b1 = b0;
      let low0 = lowPlane<W>(codes, 0), low1 = lowPlane<W>(codes, 1), high0 = highPlane<W>(codes, 0, low0), high1 = highPlane<W>(codes, 1, low1);
      let at = codes, from = x + Q8_CODES;
      for (let i = 0; i < 4; i++) {
        const raw0 = v128.load(at), raw1 = v128.load(at, 16);
        const c0 = lowCodes<W>(raw0, low0, nibble, high), c1 = lowCodes<W>(raw1, low1, nibble, high);
        const d0 = highCodes<W>(raw0, at, high0, nibble, high), d1 = highCodes<W>(raw1, at + 16, high1, nibble, high);
        const x0 = firstOf(from), x1 = secondOf(from), z0 = firstOf(from + half), z1 = secondOf(from + half);
        if (is<W, Q8_0>() && is<D, Narrow>()) {
          a0 = dot<D>(dot<D>(a0, v128.and(c0, nibble), x0), v128.and(d0, nibble), z0);
          a1 = dot<D>(dot<D>(a1, v128.and(c1, nibble), x0), v128.and(d1, nibble), z0);
          b0 = dot<D>(dot<D>(b0, upper(c0, nibble), x0), upper(d0, nibble), z0);
          b1 = dot<D>(dot<D>(b1, upper(c1, nibble), x0), upper(d1, nibble), z0);
        } else {
          a0 = dotBytes<D>(a0, c0, x0, x1, even); a1 = dotBytes<D>(a1, c1, x0, x1, even);
          b0 = dotBytes<D>(b0, d0, z0, z1, even); b1 = dotBytes<D>(b1, d1, z0, z1, even);
        }
        low0 = nextPlane<W>(low0); low1 = nextPlane<W>(low1); high0 = nextPlane<W>(high0); high1 = nextPlane<W>(high1);
        at += 32;
        from += half >> 2;
      }
      const small = smallScales<W>(group, sub);
      sum0 = addTerm<W>(sum0, combine<W, D>(a0, b0, begin, small, 0), scales<W>(group, small, 0), minima<W>(group, small, 0), x);
      sum1 = addTerm<W>(sum1, combine<W, D>(a1, b1, begin, small, 1), scales<W>(group, small, 1), minima<W>(group, small, 1), x);
      codes += codeBytes<W>();
      x += Q8_BLOCK;
    }
    group += superBytes<W>();
  }
  v128.store(y, sum0);
  v128.store(y, sum1, 16);
}

// @ts-ignore: decorator
@inline function upper(codes: v128, nibble: v128): v128 { return v128.and(i16x8.shr_u(codes, 4), nibble); }

/** The integer sum of a block from those of columns 0..15 and 16..31 (Narrow q8_0: of the low and the high nibbles). */
// @ts-ignore: decorator
@inline function combine<W, D>(a: v128, b: v128, begin: v128, small: v128, half: i32): v128 {
  if (is<W, Q6_K>()) return i32x4.add(i32x4.mul(a, sixteenths(small, 0, half)), i32x4.mul(b, sixteenths(small, 1, half)));
  if (!is<D, Narrow>()) return i32x4.add(a, b);
  if (is<W, Q8_0>()) return i32x4.add(i32x4.add(widen<D>(a), begin), i32x4.shl(widen<D>(b), 4));
  if (highBits<W>() == 0) return i32x4.add(widen<D>(i16x8.add(a, b)), begin);
  return i32x4.add(i32x4.add(widen<D>(a), widen<D>(b)), begin);
}

function multiplyOneByValue<W>(y: usize, x: usize, group: usize, k: i32): void {
  for (let row: usize = 0; row < 8; row++) {
    let sum: f32 = 0, block = x;
    for (let s = 0; s < supers<W>(k); s++) {
      const head = group + <usize>s * superBytes<W>();
      for (let sub: usize = 0; sub < subs<W>(); sub++) {
        const codes = head + headerBytes<W>() + sub * codeBytes<W>();
        const low = dotByValue<W>(block, codes, row, 0), high = dotByValue<W>(block, codes, row, 16);
        const isum = is<W, Q6_K>() ? low * sixteenthAt(head, sub, 0, row) + high * sixteenthAt(head, sub, 1, row) : low + high;
        const term = scaleAt<W>(head, sub, row) * (load<f32>(block) * <f32>isum);
        sum += hasMinimum<W>() ? term + minimumAt<W>(head, sub, row) * load<f32>(block, 4) : term;
        block += Q8_BLOCK;
      }
    }
    store<f32>(y + (row << 2), sum);
  }
}

/** Columns first..first + 15 of a block. */
// @ts-ignore: decorator
@inline function dotByValue<W>(x: usize, codes: usize, row: usize, first: usize): i32 {
  let sum = 0;
  for (let column = first; column < first + 16; column++) {
    sum += (codeAt<W>(codes, row, column) - offset<W>()) * <i32>load<i8>(x + column, Q8_CODES);
  }
  return sum;
}

/** matmul_q8_*: activations quantised to int8. */
export function matmul_q8_q8_0(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q8_0>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q4_0(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q4_0>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q4_1(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q4_1>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q5_0(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q5_0>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q5_1(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q5_1>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q4_K(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q4_K>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q5_K(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q5_K>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q6_K(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q6_K>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
