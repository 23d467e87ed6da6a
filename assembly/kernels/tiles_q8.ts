/**
 * GEMM tile of the int8 path: 4 tokens (fours_q8.ts) x 8 rows from an integer panel (panel_q8.ts). Integer sums stay in registers;
 * the f32 sums live in y. The order of summation is matmul_q8.ts's.
 */
import { hasMinimum, is } from '../weights/types';
import { Narrow, ONES, Words, addProduct, dot, inParts, isBiased, product, scaled, start, widen } from './dot';
import { FOUR_CODES, FOUR_PAIRS, FOUR_SUMS, FOUR_UPPER, fourBlock } from './fours_q8';
import { PANEL_HEADER, panelBlock, panelCodes, panelSteps } from './panel_q8';

/** sum + scale * (d * f32(isum)) [+ minimum * (d x sum)], for a block of activations. */
// @ts-ignore: decorator
@inline export function addTerm<W>(sum: v128, isum: v128, scale: v128, minimum: v128, d: v128, dSum: v128): v128 {
  const term = f32x4.mul(scale, f32x4.mul(d, f32x4.convert_i32x4_s(isum)));
  return f32x4.add(sum, hasMinimum<W>() ? f32x4.add(term, f32x4.mul(minimum, dSum)) : term);
}

/** What the sums of a part start from; see dot.ts. `x`: a token's word of the block. */
// @ts-ignore: decorator
@inline function startPart<W, D>(x: usize, part: i32, bias: v128): v128 {
  if (is<D, Words>() || hasMinimum<W>() && !isBiased<W, D>()) return i32x4.splat(0);
  const pairs = v128.load32_splat(x, FOUR_PAIRS);
  if (!inParts<W, D>()) return start<D>(pairs, bias);
  const upper = v128.load32_splat(x, FOUR_UPPER);
  return start<D>(part ? upper : i16x8.sub(pairs, upper), bias);
}

/** Adds a block's terms to the row of one token; the sums as left by dots, `kept` what went before them. */
// @ts-ignore: decorator
@inline function finish<W, D>(y: usize, sum0: v128, sum1: v128, x: usize, kept: usize, panel: usize, ones: v128, bias: v128): void {
  if (inParts<W, D>()) {
    sum0 = i32x4.add(v128.load(kept), scaled<D>(sum0, v128.load(panel, PANEL_HEADER + 32)));
    sum1 = i32x4.add(v128.load(kept, 16), scaled<D>(sum1, v128.load(panel, PANEL_HEADER + 48)));
  } else {
    sum0 = widen<D>(sum0, ones);
    sum1 = widen<D>(sum1, ones);
  }
  if (isBiased<W, D>()) {
    const back = i32x4.dot_i16x8_s(v128.load32_splat(x, FOUR_PAIRS), bias);
    sum0 = i32x4.sub(sum0, back);
    sum1 = i32x4.sub(sum1, back);
  }
  const d = v128.load32_splat(x), dSum = hasMinimum<W>() ? v128.load32_splat(x, FOUR_SUMS) : d;
  const minimum0 = hasMinimum<W>() ? v128.load(panel, 32) : d, minimum1 = hasMinimum<W>() ? v128.load(panel, 48) : d;
  v128.store(y, addTerm<W>(v128.load(y), sum0, v128.load(panel), minimum0, d, dSum));
  v128.store(y, addTerm<W>(v128.load(y, 16), sum1, v128.load(panel, 16), minimum1, d, dSum), 16);
}

/** Keeps the first part's sums of one token. */
// @ts-ignore: decorator
@inline function keep<D>(kept: usize, sum0: v128, sum1: v128, panel: usize): void {
  v128.store(kept, scaled<D>(sum0, v128.load(panel, PANEL_HEADER)));
  v128.store(kept, scaled<D>(sum1, v128.load(panel, PANEL_HEADER + 16)), 16);
}

/** Whether a product is held back, where product and sum are two operations: see tile.ts. Four steps of a part are too few for it. */
// @ts-ignore: decorator
@inline function holds<W, D>(): bool { return is<D, Words>() || is<D, Narrow>() && !inParts<W, D>(); }

/**
 * Adds the products of `blocks` blocks to 4 tokens x 8 rows of y. W may stand for any type with the same minimum, bits
 * above and parts; `offset` is its bias. `kept`: 128 bytes of scratch.
 */
export function multiplyTile<W, D>(y: usize, x: usize, panel: usize, kept: usize, blocks: i32, yBytes: usize, offset: i32): void {
  const yb = y + yBytes, yc = yb + yBytes, yd = yc + yBytes, bias = i16x8.splat(<i16>offset);
  const steps = inParts<W, D>() ? 4 : panelSteps<D>();
  for (; blocks > 0; blocks--) {
    let codes = panel + panelCodes<W, D>(), q = x + FOUR_CODES, part = 0;
    do {
      let a0 = startPart<W, D>(x, part, bias), b0 = startPart<W, D>(x + 4, part, bias), c0 = startPart<W, D>(x + 8, part, bias), d0 = startPart<W, D>(x + 12, part, bias);
      let a1 = a0, b1 = b0, c1 = c0, d1 = d0;
      const end = q + (<usize>steps << 4);
      v128.load32_splat(q, 4), v128.load32_splat(q, 8), v128.load32_splat(q, 12);
      let w0 = v128.load(codes), w1 = v128.load(codes, 16), x0 = v128.load32_splat(q), held = product<D>(w0, x0);
      for (;;) {
        if (!holds<W, D>()) a0 = dot<D>(a0, w0, x0);
        a1 = dot<D>(a1, w1, x0);
        x0 = v128.load32_splat(q, 4), b0 = dot<D>(b0, w0, x0), b1 = dot<D>(b1, w1, x0);
        x0 = v128.load32_splat(q, 8), c0 = dot<D>(c0, w0, x0);
        if (holds<W, D>()) a0 = addProduct<D>(a0, held);
        c1 = dot<D>(c1, w1, x0);
        x0 = v128.load32_splat(q, 12), d0 = dot<D>(d0, w0, x0), d1 = dot<D>(d1, w1, x0);
        codes += 32, q += 16;
        if (q >= end) break;
        w0 = v128.load(codes), w1 = v128.load(codes, 16), x0 = v128.load32_splat(q);
        if (holds<W, D>()) held = product<D>(w0, x0);
      }
      if (inParts<W, D>() && part == 0) {
        keep<D>(kept, a0, a1, panel); keep<D>(kept + 32, b0, b1, panel); keep<D>(kept + 64, c0, c1, panel); keep<D>(kept + 96, d0, d1, panel);
      } else {
        const ones = v128.load64_splat(ONES);
        finish<W, D>(y, a0, a1, x, kept, panel, ones, bias);
        finish<W, D>(yb, b0, b1, x + 4, kept + 32, panel, ones, bias);
        finish<W, D>(yc, c0, c1, x + 8, kept + 64, panel, ones, bias);
        finish<W, D>(yd, d0, d1, x + 12, kept + 96, panel, ones, bias);
      }
    } while (inParts<W, D>() && ++part < 2);
    panel += panelBlock<W, D>();
    x += fourBlock<D>();
  }
}
