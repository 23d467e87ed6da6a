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
import { codeAt, highCodes, highPlane, lowCodes, lowPlane, nextPlane } from '../weights/codes';
import { minima, minimumAt, scaleAt, scales, sixteenthAt, sixteenths } from '../weights/scales';
import {
  Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0, codeBytes, groupBytes, hasMinimum, headerBytes, is, offset, subs, superBytes, supers,
} from '../weights/types';
import { PANEL_HEADER, PANEL_STEPS, panelBlock, panelCodes, unpackCodes } from '../weights/unpack';
import { Q8_BLOCK, Q8_CODES, q8_row_bytes } from './quantize';

/**
 * How this machine's relaxed dot reads bytes above 127 in its second operand: as they are, as negative numbers, or
 * with 16-bit sums that saturate. Only q8_0 has such bytes; it takes the cheapest form that is exact.
 */
class Unsigned {}
class Signed {}
class Saturating {}

// @ts-ignore: decorator
@inline function probe(m: i32): i32 {
  const byte = 0xF0 | m & 15; // not a constant, or the compiler would choose the answer
  const product = i32x4.extract_lane(i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.splat(127), i8x16.splat(<i8>byte), i32x4.splat(0)), 0);
  return product == 4 * 127 * byte ? 0 : product == 4 * 127 * (byte - 256) ? 1 : 2;
}

// @ts-ignore: decorator
@inline function matmul<W, D>(y: usize, xq: usize, w: usize, scratch: usize, m: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  const yBytes = <usize>yStride << 2, xBytes = q8_row_bytes(k);
  for (let group = firstGroup; group < endGroup; group++) {
    const packed = w + <usize>group * groupBytes<W>(k);
    let to = y + (<usize>group << 5), x = xq, token = 0;
    if (SIMD && !is<D, Saturating>() && m >= 4) {
      unpackCodes<W>(scratch, packed, k, is<D, Signed>() ? 128 : 0);
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

/** i32 lanes + four byte products each; plain simd takes the even and odd bytes as i16. */
// @ts-ignore: decorator
@inline function dot(sum: v128, codes: v128, x: usize): v128 {
  if (RELAXED) return i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load32_splat(x), codes, sum);
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load32_splat(x), v128.and(codes, i16x8.splat(255))));
  return i32x4.add(sum, i32x4.dot_i16x8_s(v128.load32_splat(x, 4), i16x8.shr_u(codes, 8)));
}

/** What a sum starts from: -offset x the sum of the activations. */
// @ts-ignore: decorator
@inline function start<W, D>(minusSum: i32): v128 {
  if (is<D, Signed>() || offset<W>() == 0) return i32x4.splat(0);
  return i32x4.splat(minusSum * offset<W>());
}

// @ts-ignore: decorator
@inline function addTerm<W>(sum: v128, isum: v128, scale: v128, minimum: v128, x: usize): v128 {
  const term = f32x4.mul(scale, f32x4.mul(v128.load32_splat(x), f32x4.convert_i32x4_s(isum)));
  return f32x4.add(sum, hasMinimum<W>() ? f32x4.add(term, f32x4.mul(minimum, v128.load32_splat(x, 4))) : term);
}

/** One token x 8 rows, straight from the packed group. */
function multiplyOne<W, D>(y: usize, x: usize, group: usize, k: i32): void {
  let sum0 = f32x4.splat(0), sum1 = sum0;
  for (let s = 0; s < supers<W>(k); s++) {
    let codes = group + headerBytes<W>();
    for (let sub: usize = 0; sub < subs<W>(); sub++) {
      // Rows 0..3 and 4..7; columns 0..15 (a) and 16..31 (b), which q6_K scales differently.
      const minusHigh = is<W, Q6_K>() ? load<i32>(x, 12) : 0;
      let a0 = start<W, D>(load<i32>(x, 8) - minusHigh), b0 = start<W, D>(minusHigh), a1 = a0, b1 = b0;
      let low0 = lowPlane<W>(codes, 0), low1 = lowPlane<W>(codes, 1), high0 = highPlane<W>(codes, 0, low0), high1 = highPlane<W>(codes, 1, low1);
      let at = codes, from = x + Q8_CODES;
      for (let i = 0; i < 4; i++) {
        const raw0 = v128.load(at), raw1 = v128.load(at, 16), upper = from + (Q8_BLOCK - Q8_CODES >> 1);
        a0 = dotCodes<W, D>(a0, lowCodes<W>(raw0, low0), from);
        a1 = dotCodes<W, D>(a1, lowCodes<W>(raw1, low1), from);
        b0 = dotCodes<W, D>(b0, highCodes<W>(raw0, at, high0), upper);
        b1 = dotCodes<W, D>(b1, highCodes<W>(raw1, at + 16, high1), upper);
        low0 = nextPlane<W>(low0); low1 = nextPlane<W>(low1); high0 = nextPlane<W>(high0); high1 = nextPlane<W>(high1);
        at += 32;
        from += Q8_BLOCK - Q8_CODES >> 3;
      }
      sum0 = addTerm<W>(sum0, combine<W>(a0, b0, group, sub, 0), scales<W>(group, sub, 0), hasMinimum<W>() ? minima<W>(group, sub, 0) : sum0, x);
      sum1 = addTerm<W>(sum1, combine<W>(a1, b1, group, sub, 1), scales<W>(group, sub, 1), hasMinimum<W>() ? minima<W>(group, sub, 1) : sum1, x);
      codes += codeBytes<W>();
      x += Q8_BLOCK;
    }
    group += superBytes<W>();
  }
  v128.store(y, sum0);
  v128.store(y, sum1, 16);
}

/** Codes of q8_0 in the form that suits this machine; all others fit in 7 bits. */
// @ts-ignore: decorator
@inline function dotCodes<W, D>(sum: v128, codes: v128, x: usize): v128 {
  if (is<D, Signed>()) return dot(sum, v128.xor(codes, i8x16.splat(-128)), x);
  if (is<D, Saturating>()) {
    const upper = dot(i32x4.splat(0), v128.and(i16x8.shr_u(codes, 4), i8x16.splat(15)), x);
    return i32x4.add(dot(sum, v128.and(codes, i8x16.splat(15)), x), i32x4.shl(upper, 4));
  }
  return dot(sum, codes, x);
}

// @ts-ignore: decorator
@inline function combine<W>(low: v128, high: v128, head: usize, sub: usize, half: usize): v128 {
  if (!is<W, Q6_K>()) return i32x4.add(low, high);
  return i32x4.add(i32x4.mul(low, sixteenths(head, sub, 0, half)), i32x4.mul(high, sixteenths(head, sub, 1, half)));
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

// The tiles: 4 tokens x 8 rows from a panel. Integer sums stay in registers, the f32 sums live in y.

// @ts-ignore: decorator
@inline function multiplyFour<W, D>(y: usize, x: usize, panel: usize, k: i32, yBytes: usize, xBytes: usize): void {
  for (let row: usize = 0; row < 4; row++) storeZeros(y + row * yBytes);
  if (RELAXED && is<W, Q6_K>()) {
    multiplySixteenths(y, x, panel, k, yBytes, xBytes);
    multiplySixteenths(y + (yBytes << 1), x + (xBytes << 1), panel, k, yBytes, xBytes);
  } else if (hasMinimum<W>()) multiplyBlocks<Q4_1>(y, x, panel, k, yBytes, xBytes, 0);
  else multiplyBlocks<Q4_0>(y, x, panel, k, yBytes, xBytes, RELAXED && !is<D, Signed>() ? offset<W>() : 0);
}

// @ts-ignore: decorator
@inline function storeZeros(y: usize): void {
  v128.store(y, i32x4.splat(0));
  v128.store(y, i32x4.splat(0), 16);
}

/** One step of a panel: 8 rows x 4 columns (relaxed, bytes) or 2 (plain simd, i16). */
// @ts-ignore: decorator
@inline function step(sum: v128, x: v128, codes: v128): v128 {
  return RELAXED ? i32x4.relaxed_dot_i8x16_i7x16_add_s(x, codes, sum) : i32x4.add(sum, i32x4.dot_i16x8_s(x, codes));
}

/** W: any type with (Q4_1) or without (Q4_0) minimum. */
function multiplyBlocks<W>(y: usize, x: usize, panel: usize, k: i32, yBytes: usize, xBytes: usize, shifted: i32): void {
  const yb = y + yBytes, yc = yb + yBytes, yd = yc + yBytes;
  let xa = x, xb = xa + xBytes, xc = xb + xBytes, xd = xc + xBytes;
  for (let block = k >> 5; block > 0; block--) {
    let a0 = i32x4.splat(load<i32>(xa, 8) * shifted), b0 = i32x4.splat(load<i32>(xb, 8) * shifted);
    let c0 = i32x4.splat(load<i32>(xc, 8) * shifted), d0 = i32x4.splat(load<i32>(xd, 8) * shifted);
    let a1 = a0, b1 = b0, c1 = c0, d1 = d0;
    let codes = panel + PANEL_HEADER, qa = xa + Q8_CODES, qb = xb + Q8_CODES, qc = xc + Q8_CODES, qd = xd + Q8_CODES;
    for (let i = 0; i < PANEL_STEPS; i += 2) {
      let w0 = v128.load(codes), w1 = v128.load(codes, 16);
      let q = v128.load32_splat(qa); a0 = step(a0, q, w0); a1 = step(a1, q, w1);
      q = v128.load32_splat(qb); b0 = step(b0, q, w0); b1 = step(b1, q, w1);
      q = v128.load32_splat(qc); c0 = step(c0, q, w0); c1 = step(c1, q, w1);
      q = v128.load32_splat(qd); d0 = step(d0, q, w0); d1 = step(d1, q, w1);
      w0 = v128.load(codes, 32); w1 = v128.load(codes, 48);
      q = v128.load32_splat(qa, 4); a0 = step(a0, q, w0); a1 = step(a1, q, w1);
      q = v128.load32_splat(qb, 4); b0 = step(b0, q, w0); b1 = step(b1, q, w1);
      q = v128.load32_splat(qc, 4); c0 = step(c0, q, w0); c1 = step(c1, q, w1);
      q = v128.load32_splat(qd, 4); d0 = step(d0, q, w0); d1 = step(d1, q, w1);
      codes += 64; qa += 8; qb += 8; qc += 8; qd += 8;
    }
    addTerms<W>(y, a0, a1, panel, xa);
    addTerms<W>(yb, b0, b1, panel, xb);
    addTerms<W>(yc, c0, c1, panel, xc);
    addTerms<W>(yd, d0, d1, panel, xd);
    panel += panelBlock<W>();
    xa += Q8_BLOCK; xb += Q8_BLOCK; xc += Q8_BLOCK; xd += Q8_BLOCK;
  }
}

// @ts-ignore: decorator
@inline function addTerms<W>(y: usize, isum0: v128, isum1: v128, panel: usize, x: usize): void {
  v128.store(y, addTerm<W>(v128.load(y), isum0, v128.load(panel), v128.load(panel, 32), x));
  v128.store(y, addTerm<W>(v128.load(y, 16), isum1, v128.load(panel, 16), v128.load(panel, 48), x), 16);
}

/** Relaxed q6_K, 2 tokens x 8 rows: one set of sums for each 16 columns. */
function multiplySixteenths(y: usize, x: usize, panel: usize, k: i32, yBytes: usize, xBytes: usize): void {
  let xa = x, xb = xa + xBytes;
  for (let block = k >> 5; block > 0; block--) {
    const highA = load<i32>(xa, 12), highB = load<i32>(xb, 12);
    let a0 = start<Q6_K, Unsigned>(load<i32>(xa, 8) - highA), b0 = start<Q6_K, Unsigned>(load<i32>(xb, 8) - highB), a1 = a0, b1 = b0;
    let c0 = start<Q6_K, Unsigned>(highA), d0 = start<Q6_K, Unsigned>(highB), c1 = c0, d1 = d0;
    let codes = panel + panelCodes<Q6_K>(), qa = xa + Q8_CODES, qb = xb + Q8_CODES;
    for (let i = 0; i < 4; i++) {
      let w0 = v128.load(codes), w1 = v128.load(codes, 16);
      let q = v128.load32_splat(qa); a0 = step(a0, q, w0); a1 = step(a1, q, w1);
      q = v128.load32_splat(qb); b0 = step(b0, q, w0); b1 = step(b1, q, w1);
      w0 = v128.load(codes, 128); w1 = v128.load(codes, 144);
      q = v128.load32_splat(qa, 16); c0 = step(c0, q, w0); c1 = step(c1, q, w1);
      q = v128.load32_splat(qb, 16); d0 = step(d0, q, w0); d1 = step(d1, q, w1);
      codes += 32; qa += 4; qb += 4;
    }
    addTerms<Q6_K>(y, weighted(a0, c0, panel, 0), weighted(a1, c1, panel, 16), panel, xa);
    addTerms<Q6_K>(y + yBytes, weighted(b0, d0, panel, 0), weighted(b1, d1, panel, 16), panel, xb);
    panel += panelBlock<Q6_K>();
    xa += Q8_BLOCK; xb += Q8_BLOCK;
  }
}

/** sixteenth[0] x low + sixteenth[1] x high, from the head of a relaxed q6_K panel block. */
// @ts-ignore: decorator
@inline function weighted(low: v128, high: v128, panel: usize, half: usize): v128 {
  const scale = panel + half;
  return i32x4.add(i32x4.mul(low, v128.load(scale, PANEL_HEADER)), i32x4.mul(high, v128.load(scale, PANEL_HEADER + 32)));
}

/** matmul_q8_*: activations quantised to int8. */
export function matmul_q8_q8_0(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  if (!RELAXED) matmul<Q8_0, Unsigned>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
  else {
    const kind = probe(m);
    if (kind == 0) matmul<Q8_0, Unsigned>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
    else if (kind == 1) matmul<Q8_0, Signed>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
    else matmul<Q8_0, Saturating>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
  }
}
export function matmul_q8_q4_0(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q4_0, Unsigned>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q4_1(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q4_1, Unsigned>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q5_0(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q5_0, Unsigned>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q5_1(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q5_1, Unsigned>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q4_K(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q4_K, Unsigned>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q5_K(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q5_K, Unsigned>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
export function matmul_q8_q6_K(y: usize, xq: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q6_K, Unsigned>(y, xq, w, scratch, m, k, yStride, firstGroup, endGroup);
}
