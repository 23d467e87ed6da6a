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
import { EVEN_BYTES, NIBBLES, codeAt, highCodes, highPlane, lowCodes, lowPlane, nextPlanes, oddPlane } from '../weights/codes';
import { factorPairs, minima, minimumAt, scaleAt, scales, sixteenthAt, sixteenths, smallScales } from '../weights/scales';
import {
  Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0, BLOCK, codeBytes, groupBytes, hasMinimum, headerBytes, highBits, is, offset, subs, superBytes, supers,
} from '../weights/types';
import { Direct, NARROW, Narrow, ONES, SIGNED, Signed, bias, dot, dotBytes, firstOf, inParts, isBiased, isSplit, probe, scaled, secondOf, start, widen } from './dot';
import { unpackCodes } from './panel_q8';
import { Q8_BLOCK, Q8_CODES, Q8_SPLIT, q8_row_bytes, q8_split } from './quantize';
import { addTerm, multiplyTile } from './tiles_q8';

/** Columns of one panel: with the activations of four tokens it stays in a first-level cache. */
const PANEL_COLUMNS: i32 = 1024;
/** Where the panel begins in scratch: after a tile's kept parts. */
const PANEL: usize = 128;

/** Picks the dot that this machine does best; all give the same integers. */
// @ts-ignore: decorator
@inline function matmul<W>(y: usize, xq: usize, w: usize, scratch: usize, m: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  const kind = RELAXED ? probe(m) : 0;
  if (RELAXED && kind == NARROW) multiplyGroups<W, Narrow>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
  else if (RELAXED && is<W, Q8_0>() && kind == SIGNED) multiplyGroups<W, Signed>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
  else multiplyGroups<W, Direct>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}

function multiplyGroups<W, D>(y: usize, xq: usize, w: usize, scratch: usize, m: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  const yBytes = <usize>yStride << 2, xBytes = q8_row_bytes(k), tiled = SIMD ? m & ~3 : 0;
  for (let group = firstGroup; group < endGroup; group++) {
    const packed = w + <usize>group * groupBytes<W>(k), to = y + (<usize>group << 5);
    if (tiled) multiplyTiles<W, D>(to, xq, packed, scratch, tiled, k, yBytes);
    for (let token = <usize>tiled; token < <usize>m; token++) {
      if (SIMD) multiplyOne<W, D>(to + token * yBytes, xq + token * xBytes, packed, k);
      else multiplyOneByValue<W>(to + token * yBytes, xq + token * xBytes, packed, k);
    }
  }
}

/** Tokens in fours, a panel of columns at a time. */
function multiplyTiles<W, D>(y: usize, xq: usize, group: usize, scratch: usize, m: i32, k: i32, yBytes: usize): void {
  const xBytes = q8_row_bytes(k);
  for (let token: usize = 0; token < <usize>m; token++) {
    v128.store(y + token * yBytes, i32x4.splat(0));
    v128.store(y + token * yBytes, i32x4.splat(0), 16);
  }
  for (let first = 0; first < k; first += PANEL_COLUMNS) {
    const columns = min(PANEL_COLUMNS, k - first), block = <usize>(first / BLOCK);
    unpackCodes<W, D>(scratch + PANEL, group + block / subs<W>() * superBytes<W>(), columns);
    let to = y, x = xq + block * Q8_BLOCK, split = q8_split(xq, k) + block * Q8_SPLIT;
    for (let token = 0; token < m; token += 4) {
      multiplyStandIn<W, D>(to, x, split, scratch, columns, yBytes, xBytes);
      to += yBytes << 2;
      x += xBytes << 2;
      split += xBytes << 2;
    }
  }
}

/** Types that differ in their bias alone share a tile. */
// @ts-ignore: decorator
@inline function multiplyStandIn<W, D>(y: usize, x: usize, split: usize, scratch: usize, columns: i32, yBytes: usize, xBytes: usize): void {
  const blocks = columns / BLOCK, panel = scratch + PANEL, offset = RELAXED ? bias<W, D>() : 0;
  if (RELAXED && inParts<W, D>()) multiplyTile<W, D>(y, x, split, panel, scratch, blocks, yBytes, xBytes, offset);
  else if (isBiased<W, D>()) multiplyTile<Q5_1, D>(y, x, split, panel, scratch, blocks, yBytes, xBytes, offset);
  else if (hasMinimum<W>()) multiplyStandInDirect<Q4_1, D>(y, x, split, panel, scratch, blocks, yBytes, xBytes, offset);
  else multiplyStandInDirect<Q4_0, D>(y, x, split, panel, scratch, blocks, yBytes, xBytes, offset);
}

/** Once unpacked, signed codes need no dot of their own. */
// @ts-ignore: decorator
@inline function multiplyStandInDirect<W, D>(y: usize, x: usize, split: usize, panel: usize, scratch: usize, blocks: i32, yBytes: usize, xBytes: usize, offset: i32): void {
  if (is<D, Signed>()) multiplyTile<W, Direct>(y, x, split, panel, scratch, blocks, yBytes, xBytes, offset);
  else multiplyTile<W, D>(y, x, split, panel, scratch, blocks, yBytes, xBytes, offset);
}

/** One token x 8 rows, straight from the packed group. Sums a: the first part or all; b: the second part (dot.ts). */
// @ts-ignore: decorator
@inline function multiplyOne<W, D>(y: usize, x: usize, group: usize, k: i32): void {
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
        const x0 = firstOf(from), x1 = secondOf(from), z0 = firstOf(from + half), z1 = secondOf(from + half);
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
