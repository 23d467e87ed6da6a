/**
 * GEMM tile of the int8 path: 4 tokens (fours_q8.ts) x 8 rows from an integer panel (panel_q8.ts). Integer sums stay in registers;
 * the f32 sums live in scratch. The order of summation is matmul_q8.ts's.
 */
import { powers } from '../weights/integers';
import { INTEGERS, hasMinimum, hasSums, is } from '../weights/types';
import { Narrow, ONES, Words, addProduct, dot, inParts, isBiased, product, scaled, widen } from './dot';
import { FOUR_CODES, FOUR_SECOND, FOUR_START, FOUR_SUMS, fourBlock } from './fours_q8';
import { PANEL_HEADER, panelBlock, panelCodes, panelSteps } from './panel_q8';

/** Stands for types whose sums are multiplied by integer scales (dot.ts). */
export class Integers {
  @inline get bits(): i32 { return 4; }
  @inline get scales(): i32 { return INTEGERS; }
}

/** Where a tile's f32 sums lie, after what it keeps: a block's first part, or a superblock's terms so far. */
const SUMS: usize = 128;

/** sum + d * (scale * f32(isum)), or sum + (scale * (d * f32(isum)) + minimum * (d x sum)), for a block of activations. */
// @ts-ignore: decorator
@inline export function addTerm<W>(sum: v128, isum: v128, scale: v128, minimum: v128, d: v128, dSum: v128): v128 {
  const value = f32x4.convert_i32x4_s(isum);
  if (!hasMinimum<W>()) return f32x4.add(sum, f32x4.mul(d, f32x4.mul(scale, value)));
  return f32x4.add(sum, f32x4.add(f32x4.mul(scale, f32x4.mul(d, value)), f32x4.mul(minimum, dSum)));
}

/** sum + (scale * terms + minimum * (e * f32(minima))), for a superblock of q4_K or q5_K. */
// @ts-ignore: decorator
@inline export function addTerms(sum: v128, terms: v128, minima: v128, scale: v128, minimum: v128, e: v128): v128 {
  return f32x4.add(sum, f32x4.add(f32x4.mul(scale, terms), f32x4.mul(minimum, f32x4.mul(e, f32x4.convert_i32x4_s(minima)))));
}

/** The word of a token (0, 4, 8 or 12 bytes on), by offset: V8 keeps the four addresses for all such loads. */
// @ts-ignore: decorator
@inline function wordOf(at: usize, token: i32): v128 {
  if (token == 0) return v128.load32_splat(at);
  if (token == 4) return v128.load32_splat(at, 4);
  return token == 8 ? v128.load32_splat(at, 8) : v128.load32_splat(at, 12);
}

/** Product and sum are two operations. */
// @ts-ignore: decorator
@inline function apart<D>(): bool { return is<D, Words>() || is<D, Narrow>(); }

/** The sum after the first step of a part; `at`: what it starts from (fours_q8.ts), if not from 0. */
// @ts-ignore: decorator
@inline function begin<W, D>(at: usize, token: i32, codes: v128, x: v128): v128 {
  if (!is<D, Words>() && (!hasMinimum<W>() || isBiased<W, D>())) return dot<D>(wordOf(at, token), codes, x);
  return apart<D>() ? product<D>(codes, x) : dot<D>(i32x4.splat(0), codes, x);
}

/**
 * Adds a block's terms to the row of one token; the integer sums as left by dots, `kept` what went before them, the factors those of the last
 * part or ONES. Factors and scales are loaded once for all tokens, for minima there is no register left.
 */
// @ts-ignore: decorator
@inline function finish<W, D>(y: usize, sum0: v128, sum1: v128, x: usize, token: i32, kept: usize, panel: usize, factor0: v128, factor1: v128, scale0: v128, scale1: v128): void {
  if (is<W, Integers>()) {
    const d = wordOf(x, token);
    v128.store(y, f32x4.add(v128.load(y), f32x4.mul(d, f32x4.convert_i32x4_s(scaled<D>(sum0, scale0)))));
    v128.store(y, f32x4.add(v128.load(y, 16), f32x4.mul(d, f32x4.convert_i32x4_s(scaled<D>(sum1, scale1)))), 16);
    return;
  }
  if (inParts<W, D>()) {
    sum0 = i32x4.add(v128.load(kept), scaled<D>(sum0, factor0));
    sum1 = i32x4.add(v128.load(kept, 16), scaled<D>(sum1, factor1));
  } else {
    sum0 = widen<D>(sum0, factor0);
    sum1 = widen<D>(sum1, factor1);
  }
  if (isBiased<W, D>()) {
    const back = wordOf(x + FOUR_SECOND, token);
    sum0 = i32x4.sub(sum0, back);
    sum1 = i32x4.sub(sum1, back);
  }
  const d = wordOf(x, token), dSum = hasMinimum<W>() ? wordOf(x + FOUR_SUMS, token) : d;
  const minimum0 = hasMinimum<W>() ? v128.load(panel, 32) : d;
  v128.store(y, addTerm<W>(v128.load(y), sum0, scale0, minimum0, d, dSum));
  const minimum1 = hasMinimum<W>() ? v128.load(panel, 48) : d;
  v128.store(y, addTerm<W>(v128.load(y, 16), sum1, scale1, minimum1, d, dSum), 16);
}

/** Keeps the first part's sums of one token. */
// @ts-ignore: decorator
@inline function keep<D>(kept: usize, sum0: v128, sum1: v128, factor0: v128, factor1: v128): void {
  v128.store(kept, scaled<D>(sum0, factor0));
  v128.store(kept, scaled<D>(sum1, factor1), 16);
}

/**
 * Adds a block's terms to a superblock's (`terms`). The sums of five bits started from minus a multiple of the activations (dot.ts), which comes
 * back here times the factors.
 */
// @ts-ignore: decorator
@inline function addToSuper<W, D>(terms: usize, sum0: v128, sum1: v128, x: usize, token: i32, factor0: v128, factor1: v128): void {
  if (is<D, Narrow>()) {
    sum0 = scaled<D>(sum0, factor0);
    sum1 = scaled<D>(sum1, factor1);
  }
  if (isBiased<W, D>()) {
    const begun = wordOf(x + FOUR_START, token);
    sum0 = i32x4.sub(sum0, scaled<D>(begun, factor0));
    sum1 = i32x4.sub(sum1, scaled<D>(begun, factor1));
  }
  sum0 = f32x4.convert_i32x4_s(sum0);
  sum1 = f32x4.convert_i32x4_s(sum1);
  if (!is<D, Words>() && !is<D, Narrow>()) {
    sum0 = f32x4.mul(sum0, factor0);
    sum1 = f32x4.mul(sum1, factor1);
  }
  const d = wordOf(x, token);
  v128.store(terms, f32x4.add(v128.load(terms), f32x4.mul(d, sum0)));
  v128.store(terms, f32x4.add(v128.load(terms, 16), f32x4.mul(d, sum1)), 16);
}

/** Adds a superblock's terms to the sums, and begins the next; `panel` and `x`: its first block's second header word and sums. */
function endSuper<W, D>(terms: usize, panel: usize, x: usize): void {
  const second = panel + panelBlock<W, D>(), third = second + panelBlock<W, D>(), fourth = third + panelBlock<W, D>();
  const a0 = v128.load(panel), b0 = v128.load(second), c0 = v128.load(third), d0 = v128.load(fourth);
  const a1 = v128.load(panel, 16), b1 = v128.load(second, 16), c1 = v128.load(third, 16), d1 = v128.load(fourth, 16);
  const scale = fourth + panelBlock<W, D>(), minimum = scale + panelBlock<W, D>();
  for (const end = terms + SUMS; terms < end; terms += 32, x += 4) {
    const p = v128.load32_splat(x), q = v128.load32_splat(x + fourBlock<D>());
    const r = v128.load32_splat(x + 2 * fourBlock<D>()), s = v128.load32_splat(x + 3 * fourBlock<D>()), e = v128.load32_splat(x + 4 * fourBlock<D>());
    const m0 = i32x4.add(i32x4.add(i32x4.dot_i16x8_s(p, a0), i32x4.dot_i16x8_s(q, b0)), i32x4.add(i32x4.dot_i16x8_s(r, c0), i32x4.dot_i16x8_s(s, d0)));
    const m1 = i32x4.add(i32x4.add(i32x4.dot_i16x8_s(p, a1), i32x4.dot_i16x8_s(q, b1)), i32x4.add(i32x4.dot_i16x8_s(r, c1), i32x4.dot_i16x8_s(s, d1)));
    v128.store(terms, addTerms(v128.load(terms, SUMS), v128.load(terms), m0, v128.load(scale), v128.load(minimum), e), SUMS);
    v128.store(terms, addTerms(v128.load(terms, SUMS + 16), v128.load(terms, 16), m1, v128.load(scale, 16), v128.load(minimum, 16), e), SUMS + 16);
    v128.store(terms, i32x4.splat(0));
    v128.store(terms, i32x4.splat(0), 16);
  }
}

// @ts-ignore: decorator
@inline function copyRows(to: usize, toBytes: usize, from: usize, fromBytes: usize, rows: i32): void {
  for (let i = 0; i < rows; i++, to += toBytes, from += fromBytes) {
    v128.store(to, v128.load(from));
    v128.store(to, v128.load(from, 16), 16);
  }
}

/** The finished sums, times the powers at `head`. */
// @ts-ignore: decorator
@inline function copyPowered(y: usize, yBytes: usize, sums: usize, head: usize, rows: i32): void {
  const first = powers(head, 0), second = powers(head, 1);
  for (let i = 0; i < rows; i++, y += yBytes, sums += 32) {
    v128.store(y, f32x4.mul(v128.load(sums), first));
    v128.store(y, f32x4.mul(v128.load(sums, 16), second), 16);
  }
}

// @ts-ignore: decorator
@inline function clear(sums: usize): void {
  for (let at: usize = 0; at < 128; at += 16) v128.store(sums + at, i32x4.splat(0));
}

/**
 * Adds the products of `blocks` blocks to 4 tokens x 8 rows of y (0 if fresh), of which y has the first `rows`. W may stand for any type with the same minimum, bits
 * above and parts. `finished`: if not 0, the group whose powers the sums are multiplied by at the end (integers.ts). `kept`: 256 bytes of
 * scratch; the sums lie there meanwhile, because rows of y, far apart, are seldom in a near cache.
 * One product is held back: see tile.ts.
 */
export function multiplyTile<W, D>(y: usize, x: usize, panel: usize, kept: usize, blocks: i32, yBytes: usize, rows: i32, fresh: bool, finished: usize): void {
  const sums = kept + SUMS, steps = inParts<W, D>() ? 4 : panelSteps<D>();
  if (fresh) clear(sums);
  else copyRows(sums, 32, y, yBytes, rows);
  if (hasSums<W>()) clear(kept);
  for (; blocks > 0; blocks--) {
    let codes = panel + panelCodes<W, D>(), q = x + FOUR_CODES, part = 0;
    do {
      const starts = x + FOUR_START + (inParts<W, D>() ? <usize>part << 4 : 0), end = q + (<usize>steps << 4);
      let w0 = v128.load(codes), w1 = v128.load(codes, 16), x0 = v128.load32_splat(q);
      let a0 = begin<W, D>(starts, 0, w0, x0), a1 = begin<W, D>(starts, 0, w1, x0);
      x0 = v128.load32_splat(q, 4);
      let b0 = begin<W, D>(starts, 4, w0, x0), b1 = begin<W, D>(starts, 4, w1, x0);
      x0 = v128.load32_splat(q, 8);
      let c0 = begin<W, D>(starts, 8, w0, x0), c1 = begin<W, D>(starts, 8, w1, x0);
      x0 = v128.load32_splat(q, 12);
      let d0 = begin<W, D>(starts, 12, w0, x0), d1 = begin<W, D>(starts, 12, w1, x0);
      codes += 32, q += 16;
      w0 = v128.load(codes), w1 = v128.load(codes, 16), x0 = v128.load32_splat(q);
      let held = product<D>(w0, x0);
      for (;;) {
        if (!apart<D>()) a0 = dot<D>(a0, w0, x0);
        a1 = dot<D>(a1, w1, x0);
        x0 = v128.load32_splat(q, 4), b0 = dot<D>(b0, w0, x0), b1 = dot<D>(b1, w1, x0);
        x0 = v128.load32_splat(q, 8), c0 = dot<D>(c0, w0, x0);
        if (apart<D>()) a0 = addProduct<D>(a0, held);
        c1 = dot<D>(c1, w1, x0);
        x0 = v128.load32_splat(q, 12), d0 = dot<D>(d0, w0, x0), d1 = dot<D>(d1, w1, x0);
        codes += 32, q += 16;
        if (q >= end) break;
        w0 = v128.load(codes), w1 = v128.load(codes, 16), x0 = v128.load32_splat(q);
        if (apart<D>()) held = product<D>(w0, x0);
      }
      if (inParts<W, D>() && part == 0) {
        const factor0 = v128.load(panel, PANEL_HEADER), factor1 = v128.load(panel, PANEL_HEADER + 16);
        keep<D>(kept, a0, a1, factor0, factor1); keep<D>(kept + 32, b0, b1, factor0, factor1);
        keep<D>(kept + 64, c0, c1, factor0, factor1); keep<D>(kept + 96, d0, d1, factor0, factor1);
      } else if (hasSums<W>()) {
        const factor0 = is<D, Words>() ? a0 : v128.load(panel), factor1 = is<D, Words>() ? a0 : v128.load(panel, 16);
        addToSuper<W, D>(kept, a0, a1, x, 0, factor0, factor1);
        addToSuper<W, D>(kept + 32, b0, b1, x, 4, factor0, factor1);
        addToSuper<W, D>(kept + 64, c0, c1, x, 8, factor0, factor1);
        addToSuper<W, D>(kept + 96, d0, d1, x, 12, factor0, factor1);
      } else {
        const factor0 = inParts<W, D>() ? v128.load(panel, PANEL_HEADER + 32) : v128.load64_splat(ONES);
        const factor1 = inParts<W, D>() ? v128.load(panel, PANEL_HEADER + 48) : factor0;
        const scale0 = v128.load(panel), scale1 = v128.load(panel, 16);
        finish<W, D>(sums, a0, a1, x, 0, kept, panel, factor0, factor1, scale0, scale1);
        finish<W, D>(sums + 32, b0, b1, x, 4, kept + 32, panel, factor0, factor1, scale0, scale1);
        finish<W, D>(sums + 64, c0, c1, x, 8, kept + 64, panel, factor0, factor1, scale0, scale1);
        finish<W, D>(sums + 96, d0, d1, x, 12, kept + 96, panel, factor0, factor1, scale0, scale1);
      }
    } while (inParts<W, D>() && ++part < 2);
    panel += panelBlock<W, D>();
    x += fourBlock<D>();
    if (hasSums<W>() && (blocks & 7) == 1) endSuper<W, D>(kept, panel - 8 * panelBlock<W, D>() + 32, x - 8 * fourBlock<D>() + FOUR_SUMS);
  }
  if (finished) copyPowered(y, yBytes, sums, finished, rows);
  else copyRows(y, yBytes, sums, 32, rows);
}
