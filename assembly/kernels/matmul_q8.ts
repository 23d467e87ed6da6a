/**
 * y[m][n] = x[m][k] * w^T for packed quantised weights and activations quantised to int8 (quantize.ts), groups
 * firstGroup..endGroup of 8 output columns (rows of w). Whole groups are stored: yStride (elements) >= n rounded up
 * to 8; rows of xq are q8_row_bytes(k) apart; scratch is matmul_scratch_bytes(k).
 *
 * Order of summation (contract, the same bits in every build, for every m and every split into groups):
 *   sum = 0; for each block of 32 columns, ascending: sum = sum + term, where
 *   isum = exact integer sum of code_w * code_x, the offset of symmetric types taken off code_w
 *          (q6_K: sixteenth[0] * sum over columns 0..15 + sixteenth[1] * sum over 16..31), and
 *   term = d * (scale * f32(isum))                               symmetric types
 *   term = scale * (d * f32(isum)) + minimum * (d x sum)         types with a minimum
 * each operation rounded to f32; scale and minimum as in scales.ts, d and (d x sum) as in quantize.ts. Where scales are integers, the sum
 * is multiplied by the row's power of two last.
 *
 * q4_K and q5_K instead, whose scales and minima are integers below 64 within superblocks of eight blocks:
 *   sum = 0; for each superblock, ascending: sum = sum + (dw * terms + -dmin * (e * f32(minima))), where
 *   terms = 0; for each of its blocks, ascending: terms = terms + d * f32(scale * isum), and
 *   minima = exact integer sum of minimum * S over its blocks;
 * each operation rounded to f32; dw, -dmin and the integers as in scales.ts, S and e as in quantize.ts. The integers are exact in
 * f32, below 2^24: |scale * isum| <= 63 * 31 * 127 * 32 = 7936992, |minima| <= 8 * 63 * 32767 = 16514568.
 */
import { RELAXED, SIMD } from '../lanes';
import { codeAt } from '../weights/codes';
import { wideness, powerAt } from '../weights/integers';
import { Q4_0 } from '../weights/q4_0';
import { Q4_1 } from '../weights/q4_1';
import { Q4_K } from '../weights/q4_K';
import { Q5_1 } from '../weights/q5_1';
import { minimumAt, scaleAt, sixteenthAt, smallMinimumAt, smallScaleAt } from '../weights/scales';
import {
  BLOCK, codeBytes, groupBytes, groupHead, hasIntegers, hasMinimum, hasSixteenths, hasSums, headerBytes, highBits, is, isBytes, offset, subs, superBytes, supers,
} from '../weights/types';
import { Direct, NARROW, Narrow, SIGNED, Signed, Words, bias, inIntegers, inParts, isBiased, isSplit, probe } from './dot';
import { fourBlock, layFours } from './fours_q8';
import { multiplyOne, multiplyOneInParts, multiplyOneInPlace, multiplyOneWithSums } from './gemv_q8';
import { unpackCodes } from './panel_q8';
import { Q8_BLOCK, Q8_CODES, Q8_SUMS, Q8_SUMS_SCALE, q8_row_bytes, q8_sums, tiledTokens } from './quantize';
import { Integers, multiplyTile } from './tiles_q8';

/** Columns of one panel: with the activations of four tokens it stays in a first-level cache. */
const PANEL_COLUMNS: i32 = 1536;
/** Tokens laid out at a time: they stay in a second-level cache while the rows of w go by. */
const TOKENS: i32 = 64;
/** Where the panel begins in scratch, after a tile's sums (of superblocks too), and the tokens; 576 and 320: the largest panelBlock and fourBlock (Words). */
const PANEL: usize = 256;
const FOURS: usize = PANEL + PANEL_COLUMNS / BLOCK * 576;
/** Scratch of one thread. */
export const MATMUL_Q8_BYTES: usize = FOURS + PANEL_COLUMNS / BLOCK * (TOKENS / 4) * 320;

/** matmul_q8_*: activations quantised to int8. Picks the dot that this machine does best; all give the same integers. */
// @ts-ignore: decorator
@inline export function matmul<W>(y: usize, xq: usize, w: usize, scratch: usize, m: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  const kind = RELAXED ? probe(m) : NARROW;
  if (!RELAXED) multiplyGroups<W, Words>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
  else if (kind == NARROW) multiplyGroups<W, Narrow>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
  else if (isBytes<W>() && kind == SIGNED) multiplyGroups<W, Signed>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
  else multiplyGroups<W, Direct>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}

function multiplyGroups<W, D>(y: usize, xq: usize, w: usize, scratch: usize, m: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  const yBytes = <usize>yStride << 2, xBytes = q8_row_bytes(k), tiled = SIMD ? hasSixteenths<W>() && m == 3 ? m : tiledTokens(m) : 0;
  y += <usize>firstGroup << 5;
  w += <usize>firstGroup * groupBytes<W>(k);
  const groups = endGroup - firstGroup;
  if (SIMD) for (let token = 0; token < tiled; token += TOKENS) {
    const to = y + <usize>token * yBytes, from = xq + <usize>token * xBytes, tokens = min(TOKENS, tiled - token);
    const last = token + tokens == tiled ? m - tiled : 0;
    if (isSplit<W, D>()) multiplyTiles<W, Words, D>(to, from, w, scratch, tokens, k, yBytes, groups, last);
    else multiplyTiles<W, D, D>(to, from, w, scratch, tokens, k, yBytes, groups, last);
  }
  if (SIMD && tiled) return;
  for (const end = w + <usize>groups * groupBytes<W>(k); w < end; w += groupBytes<W>(k), y += 32) {
    if (RELAXED && highBits<W>() == 0) touchAhead(y, w + PAGE, groupBytes<W>(k), end);
    multiplyOnes<W, D>(y, xq, w, m, k, yBytes);
  }
}

/** Bytes of a page of memory. */
const PAGE: usize = 4096;

/**
 * Takes one byte of each page that the weights a page further on lie in. A processor reads ahead within pages only: the first byte of the next waits for
 * its page tables too. The sum goes to `word`, which the caller writes over, since compilers leave out loads that nobody uses. Nothing at or
 * beyond `end` is read. Worth it where memory is waited for: 4 bits and short loops.
 */
// @ts-ignore: decorator
@inline function touchAhead(word: usize, at: usize, bytes: usize, end: usize): void {
  let sum = 0;
  const stop = min(at + bytes, end);
  for (; at < stop; at += PAGE) sum += load<u8>(at);
  store<i32>(word, sum);
}

/** Tokens one by one x 8 rows. */
function multiplyOnes<W, D>(y: usize, xq: usize, w: usize, tokens: i32, k: i32, yBytes: usize): void {
  for (; tokens > 0; tokens--, y += yBytes, xq += q8_row_bytes(k)) {
    if (SIMD && highBits<W>() == 0 && is<D, Words>()) multiplyOneInPlace<W>(y, xq, w, k);
    else if (SIMD && hasSixteenths<W>()) multiplyOneInParts<W, D>(y, xq, w, k);
    else if (SIMD && hasSums<W>()) multiplyOneWithSums<W, D>(y, xq, w, k);
    else if (SIMD) multiplyOne<W, D>(y, xq, w, k);
    else if (hasSums<W>()) multiplyOneWithSumsByValue<W>(y, xq, w, k);
    else multiplyOneByValue<W>(y, xq, w, k);
  }
}

/**
 * Up to 64 tokens in fours, a panel of columns of all rows at a time, and the `ones` after them, by the dot E, while their rows of w are in a
 * near cache.
 */
function multiplyTiles<W, D, E>(y: usize, xq: usize, w: usize, scratch: usize, tokens: i32, k: i32, yBytes: usize, groups: i32, ones: i32): void {
  const onesRow = <usize>tokens * yBytes, onesX = xq + <usize>tokens * q8_row_bytes(k);
  for (let first = 0; first < k; first += PANEL_COLUMNS) {
    const columns = min(PANEL_COLUMNS, k - first), fourBytes = <usize>(columns / BLOCK) * fourBlock<D>();
    layFours<D>(scratch + FOURS, xq, tokens, k, first, columns, bias<W, D>(), inParts<W, D>(), hasSums<W>());
    let to = y, packed = w;
    for (let group = groups; group > 0; group--, to += 32, packed += groupBytes<W>(k)) {
      unpackCodes<W, D>(scratch + PANEL, packed, first, columns);
      const finished = hasIntegers<W>() && first + columns == k ? packed : 0, wide = hasIntegers<W>() ? wideness(packed) : 0;
      let row = to, x = scratch + FOURS;
      for (let token = tokens; token > 0; token -= 4, row += yBytes << 2, x += fourBytes) multiplyStandIn<W, D>(row, x, scratch, columns, yBytes, min(token, 4), first == 0, finished, wide);
      if (ones && first + columns == k) multiplyOnes<W, E>(to + onesRow, onesX, packed, ones, k, yBytes);
    }
  }
}

/** Types that differ in their bias alone share a tile; once unpacked, signed codes need no dot of their own. */
// @ts-ignore: decorator
@inline function multiplyStandIn<W, D>(y: usize, x: usize, scratch: usize, columns: i32, yBytes: usize, rows: i32, fresh: bool, finished: usize, wide: i32): void {
  const blocks = columns / BLOCK, panel = scratch + PANEL;
  if (inIntegers<W, D>() && !wide) multiplyTile<Integers, D>(y, x, panel, scratch, blocks, yBytes, rows, fresh, finished);
  else if (inParts<W, D>() || isBiased<W, D>() && hasSums<W>()) multiplyTile<W, D>(y, x, panel, scratch, blocks, yBytes, rows, fresh, finished);
  else if (hasSums<W>()) multiplyTile<Q4_K, D>(y, x, panel, scratch, blocks, yBytes, rows, fresh, finished);
  else if (isBiased<W, D>()) multiplyTile<Q5_1, D>(y, x, panel, scratch, blocks, yBytes, rows, fresh, finished);
  else if (hasMinimum<W>()) multiplyTile<Q4_1, D>(y, x, panel, scratch, blocks, yBytes, rows, fresh, finished);
  else if (is<D, Signed>()) multiplyTile<Q4_0, Direct>(y, x, panel, scratch, blocks, yBytes, rows, fresh, finished);
  else multiplyTile<Q4_0, D>(y, x, panel, scratch, blocks, yBytes, rows, fresh, finished);
}

/** q4_K and q5_K. */
function multiplyOneWithSumsByValue<W>(y: usize, x: usize, group: usize, k: i32): void {
  for (let row: usize = 0; row < 8; row++) {
    let sum: f32 = 0, head = group, block = x, sums = q8_sums(x, k);
    for (let s = 0; s < supers<W>(k); s++, head += superBytes<W>(), sums += Q8_SUMS) {
      let terms: f32 = 0, minima = 0;
      for (let sub: usize = 0; sub < subs<W>(); sub++, block += Q8_BLOCK) {
        const codes = head + headerBytes<W>() + sub * codeBytes<W>(), isum = dotByValue<W>(block, codes, row, 0) + dotByValue<W>(block, codes, row, 16);
        terms += load<f32>(block) * <f32>(<i32>load<u8>(smallScaleAt(head, sub, row)) * isum);
        minima += <i32>load<u8>(smallMinimumAt(head, sub, row)) * <i32>load<i16>(sums + (sub << 1));
      }
      sum += load<f32>(head + (row << 2)) * terms + load<f32>(head + (row << 2), 32) * (load<f32>(sums, Q8_SUMS_SCALE) * <f32>minima);
    }
    store<f32>(y + (row << 2), sum);
  }
}

function multiplyOneByValue<W>(y: usize, x: usize, group: usize, k: i32): void {
  const wide = hasIntegers<W>() ? wideness(group) : 0;
  for (let row: usize = 0; row < 8; row++) {
    let sum: f32 = 0, block = x;
    for (let s = 0; s < supers<W>(k); s++) {
      const head = group + groupHead<W>() + <usize>s * superBytes<W>();
      for (let sub: usize = 0; sub < subs<W>(); sub++) {
        const codes = head + headerBytes<W>() + sub * codeBytes<W>();
        const low = dotByValue<W>(block, codes, row, 0), high = dotByValue<W>(block, codes, row, 16);
        const isum = hasSixteenths<W>() ? low * sixteenthAt(head, sub, 0, row) + high * sixteenthAt(head, sub, 1, row) : low + high;
        const d = load<f32>(block), scale = scaleAt<W>(head, sub, row, wide);
        sum += hasMinimum<W>() ? scale * (d * <f32>isum) + minimumAt<W>(head, sub, row) * load<f32>(block, 4) : d * (scale * <f32>isum);
        block += Q8_BLOCK;
      }
    }
    store<f32>(y + (row << 2), hasIntegers<W>() ? sum * powerAt(group, row) : sum);
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
