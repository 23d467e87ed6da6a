/**
 * GEMM tile of the int8 path: 4 tokens x 8 rows from an integer panel (panel_q8.ts). Integer sums stay in registers;
 * the f32 sums live in y. The order of summation is matmul_q8.ts's.
 */
import { hasMinimum, is } from '../weights/types';
import { ONES, dot, inParts, isBiased, scaled, start, widen, Words } from './dot';
import { PANEL_HEADER, panelBlock, panelCodes, panelSteps } from './panel_q8';
import { Q8_BLOCK, Q8_CODES, Q8_WORDS } from './quantize';

/** sum + scale * (d * f32(isum)) [+ minimum * (d x sum)], for an activation block at x. */
// @ts-ignore: decorator
@inline export function addTerm<W>(sum: v128, isum: v128, scale: v128, minimum: v128, d: v128, dSum: v128): v128 {
  const term = f32x4.mul(scale, f32x4.mul(d, f32x4.convert_i32x4_s(isum)));
  return f32x4.add(sum, hasMinimum<W>() ? f32x4.add(term, f32x4.mul(minimum, dSum)) : term);
}

/** What the sums of a part start from; see dot.ts. */
// @ts-ignore: decorator
@inline function startPart<W, D>(x: usize, part: i32, bias: v128): v128 {
  if (is<D, Words>() || hasMinimum<W>() && !isBiased<W, D>()) return i32x4.splat(0);
  if (!inParts<W, D>()) return start<D>(v128.load32_splat(x, 8), bias);
  return start<D>(part ? v128.load32_splat(x, 12) : i16x8.sub(v128.load32_splat(x, 8), v128.load32_splat(x, 12)), bias);
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
    const back = i32x4.dot_i16x8_s(v128.load32_splat(x, 8), bias);
    sum0 = i32x4.sub(sum0, back);
    sum1 = i32x4.sub(sum1, back);
  }
  const d = v128.load32_splat(x), dSum = hasMinimum<W>() ? v128.load32_splat(x, 4) : d;
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

/** Bytes from one block of activations to the next. */
// @ts-ignore: decorator
@inline export function blockStep<D>(): usize { return is<D, Words>() ? Q8_WORDS : Q8_BLOCK; }

/**
 * Adds the products of `blocks` blocks to 4 tokens x 8 rows of y. W may stand for any type with the same minimum, bits
 * above and parts; `offset` is its bias. `kept`: 128 bytes of scratch.
 */
export function multiplyTile<W, D>(y: usize, x: usize, panel: usize, kept: usize, blocks: i32, yBytes: usize, xBytes: usize, offset: i32): void {
  const yb = y + yBytes, yc = yb + yBytes, yd = yc + yBytes, bias = i16x8.splat(<i16>offset);
  const steps = inParts<W, D>() ? 4 : panelSteps<D>();
  let xa = x, xb = xa + xBytes, xc = xb + xBytes, xd = xc + xBytes;
  for (; blocks > 0; blocks--) {
    let codes = panel + panelCodes<W, D>(), qa = xa + Q8_CODES, part = 0;
    do {
      let a0 = startPart<W, D>(xa, part, bias), b0 = startPart<W, D>(xb, part, bias), c0 = startPart<W, D>(xc, part, bias), d0 = startPart<W, D>(xd, part, bias);
      let a1 = a0, b1 = b0, c1 = c0, d1 = d0;
      let qb = qa + xBytes, qc = qb + xBytes, qd = qc + xBytes;
      // Two steps at a time: the compilers finish one sum after another, and what more steps read does not fit in 16 registers.
      for (let i = 0; i < steps; i += 2) {
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
      if (inParts<W, D>() && part == 0) {
        keep<D>(kept, a0, a1, panel); keep<D>(kept + 32, b0, b1, panel); keep<D>(kept + 64, c0, c1, panel); keep<D>(kept + 96, d0, d1, panel);
      } else {
        const ones = v128.load64_splat(ONES);
        finish<W, D>(y, a0, a1, xa, kept, panel, ones, bias);
        finish<W, D>(yb, b0, b1, xb, kept + 32, panel, ones, bias);
        finish<W, D>(yc, c0, c1, xc, kept + 64, panel, ones, bias);
        finish<W, D>(yd, d0, d1, xd, kept + 96, panel, ones, bias);
      }
    } while (inParts<W, D>() && ++part < 2);
    panel += panelBlock<W, D>();
    xa += blockStep<D>(); xb += blockStep<D>(); xc += blockStep<D>(); xd += blockStep<D>();
  }
}
