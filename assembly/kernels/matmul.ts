/**
 * y[m][n] = x[m][k] * w^T for packed weights, groups firstGroup..endGroup of 8 output columns (rows of w).
 * Whole groups are stored: yStride >= n rounded up to 8. y and x are f32, strides in elements, scratch is
 * matmul_scratch_bytes(k).
 *
 * Order of summation (contract, the same bits in every build, for every m and every split into groups):
 *   sum = 0; for k ascending: sum = sum + x[k] * w[k]     each operation rounded to f32, w[k] dequantised as in unpack.ts.
 */
import { SIMD } from '../lanes';
import { REBIAS, bfloats, halves, shortFloats, shortMask, upperMask } from '../weights/half';
import {
  BFloat16, Float32, HALF_HEADER, Half, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0, groupBytes, is, isFloat,
} from '../weights/types';
import { unpackFloats } from '../weights/unpack';
import { DEPTH, GEMM_BYTES, blockRows, multiplyPanel, packRows, panelOf } from './gemm';
import { MATMUL_Q8_BYTES } from './matmul_q8';
import { Fused, Separate, addProduct } from './tile';

/** Bytes of scratch for one thread: a panel of 8 rows in f32, a block of the f32 product, or an integer panel and its tokens. */
export function matmul_scratch_bytes(k: i32): usize { return max((<usize>k << 5) + 64, max(GEMM_BYTES, MATMUL_Q8_BYTES)); }

/** Fewer tokens than a tile has rows: one after another. */
const FEW: i32 = 4;

// @ts-ignore: decorator
@inline function matmul<W>(y: usize, x: usize, w: usize, scratch: usize, m: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  const yBytes = <usize>yStride << 2, xBytes = <usize>xStride << 2;
  y += <usize>firstGroup << 5;
  w += <usize>firstGroup * groupBytes<W>(k);
  const groups = endGroup - firstGroup;
  if (m < FEW) multiplyFew<W>(y, x, w, scratch, m, k, yBytes, xBytes, groups);
  else multiplyBlocks<W, Separate>(y, x, w, scratch, m, k, yBytes, xBytes, groups);
}

/** `F`: how tile.ts multiplies. */
function multiplyBlocks<W, F>(y: usize, x: usize, w: usize, scratch: usize, m: i32, k: i32, yBytes: usize, xBytes: usize, groups: i32): void {
  const block = blockRows<F>(m);
  for (let column = 0; column < k; column += DEPTH) {
    const depth = min(DEPTH, k - column);
    for (let token = 0; token < m; token += block) {
      const rows = min(block, m - token);
      packRows<F>(scratch, x + <usize>token * xBytes + (<usize>column << 2), rows, depth, xBytes);
      for (let group: usize = 0; group < <usize>groups; group++) {
        const packed = w + group * groupBytes<W>(k);
        if (!is<W, Float32>()) unpackFloats<W>(panelOf(scratch), packed, column, column + depth);
        const panel = is<W, Float32>() ? packed + (<usize>column << 5) : panelOf(scratch);
        multiplyPanel<F>(y + <usize>token * yBytes + (group << 5), panel, scratch, rows, depth, yBytes, column == 0);
      }
    }
  }
}

function multiplyFew<W>(y: usize, x: usize, w: usize, scratch: usize, m: i32, k: i32, yBytes: usize, xBytes: usize, groups: i32): void {
  let group = 0;
  if (SIMD && m == 1 && isFloat<W>()) {
    const scaled = is<W, Half>() && scaleActivations(scratch, x, k);
    for (; group + 2 <= groups; group += 2) {
      if (scaled && load<u32>(w) + load<u32>(w + groupBytes<W>(k)) == 0) multiplyTwoGroups<W, Scaled>(y, scratch, w, k);
      else multiplyTwoGroups<W, W>(y, x, w, k);
      y += 64;
      w += 2 * groupBytes<W>(k);
    }
  }
  for (; group < groups; group++) {
    if (!is<W, Float32>()) unpackFloats<W>(scratch, w, 0, k);
    for (let token: usize = 0; token < <usize>m; token++) {
      if (SIMD) multiplyOne(y + token * yBytes, x + token * xBytes, is<W, Float32>() ? w : scratch, k);
      else multiplyOneByValue(y + token * yBytes, x + token * xBytes, is<W, Float32>() ? w : scratch, k);
    }
    y += 32;
    w += groupBytes<W>(k);
  }
}

// @ts-ignore: decorator
@inline function storeRow(y: usize, first: v128, second: v128): void {
  v128.store(y, first);
  v128.store(y, second, 16);
}

function multiplyOne(y: usize, x: usize, panel: usize, k: i32): void {
  let first = f32x4.splat(0), second = first;
  for (let column = 0; column < k; column++) {
    const value = v128.load32_splat(x);
    first = addProduct<Separate>(first, value, v128.load(panel));
    second = addProduct<Separate>(second, value, v128.load(panel, 16));
    x += 4;
    panel += 32;
  }
  storeRow(y, first, second);
}

function multiplyOneByValue(y: usize, x: usize, panel: usize, k: i32): void {
  for (let row = 0; row < 8; row++) {
    let sum: f32 = 0;
    for (let column: usize = 0; column < <usize>k; column++) sum += load<f32>(x + (column << 2)) * load<f32>(panel + (column << 5));
    store<f32>(y, sum);
    y += 4;
    panel += 4;
  }
}

/** f16 weights taken 2^112 too small, against activations as much too large: exactly the same products. */
class Scaled {}

/** scaled = x * 2^112; false where that is not exact because some finite |x| >= 2^15. */
function scaleActivations(scaled: usize, x: usize, k: i32): bool {
  let largest: f32 = 0;
  for (let column: usize = 0; column < <usize>k; column++) {
    const value = load<f32>(x + (column << 2));
    largest = max(largest, abs(value));
    store<f32>(scaled + (column << 2), value * REBIAS);
  }
  return largest < 32768;
}

/** One token, 16 rows straight from packed floats: four independent sums hide the latency of the additions. */
function multiplyTwoGroups<W, S>(y: usize, x: usize, w: usize, k: i32): void {
  const mask = is<W, BFloat16>() ? upperMask() : shortMask();
  let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0;
  let a = is<W, Half>() ? w + HALF_HEADER : w, b = a + groupBytes<W>(k);
  for (let column = 0; column < k; column++) {
    const value = v128.load32_splat(x), rawA = v128.load(a), rawB = v128.load(b);
    a0 = addProduct<Separate>(a0, value, floats<S>(rawA, a, 0, mask)); a1 = addProduct<Separate>(a1, value, floats<S>(rawA, a, 1, mask));
    b0 = addProduct<Separate>(b0, value, floats<S>(rawB, b, 0, mask)); b1 = addProduct<Separate>(b1, value, floats<S>(rawB, b, 1, mask));
    x += 4;
    a += is<W, Float32>() ? 32 : 16;
    b += is<W, Float32>() ? 32 : 16;
  }
  storeRow(y, a0, a1);
  storeRow(y + 32, b0, b1);
}

/** Rows 0..3 or 4..7 of the column at `at`, whose first 16 bytes are `raw`. */
// @ts-ignore: decorator
@inline function floats<S>(raw: v128, at: usize, half: i32, mask: v128): v128 {
  if (is<S, Float32>()) return half ? v128.load(at, 16) : raw;
  if (is<S, Scaled>()) return shortFloats(raw, half, mask);
  return is<S, Half>() ? halves(raw, half) : bfloats(raw, half, mask);
}

/** matmul_f32_*: f32 activations; the exact mode of quantised weights. */
export function matmul_f32_f32(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Float32>(y, x, w, scratch, m, k, yStride, xStride, firstGroup, endGroup);
}
/** As matmul_f32_f32, with Fused of tile.ts: for training, where the user prefers speed to the same bits everywhere. */
export function matmul_f32_f32_fused(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  const first = <usize>firstGroup << 5;
  multiplyBlocks<Float32, Fused>(y + first, x, w + first * <usize>k, scratch, m, k, <usize>yStride << 2, <usize>xStride << 2, endGroup - firstGroup);
}
export function matmul_f32_f16(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Half>(y, x, w, scratch, m, k, yStride, xStride, firstGroup, endGroup);
}
export function matmul_f32_bf16(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<BFloat16>(y, x, w, scratch, m, k, yStride, xStride, firstGroup, endGroup);
}
export function matmul_f32_q8_0(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q8_0>(y, x, w, scratch, m, k, yStride, xStride, firstGroup, endGroup);
}
export function matmul_f32_q4_0(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q4_0>(y, x, w, scratch, m, k, yStride, xStride, firstGroup, endGroup);
}
export function matmul_f32_q4_1(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q4_1>(y, x, w, scratch, m, k, yStride, xStride, firstGroup, endGroup);
}
export function matmul_f32_q5_0(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q5_0>(y, x, w, scratch, m, k, yStride, xStride, firstGroup, endGroup);
}
export function matmul_f32_q5_1(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q5_1>(y, x, w, scratch, m, k, yStride, xStride, firstGroup, endGroup);
}
export function matmul_f32_q4_K(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q4_K>(y, x, w, scratch, m, k, yStride, xStride, firstGroup, endGroup);
}
export function matmul_f32_q5_K(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q5_K>(y, x, w, scratch, m, k, yStride, xStride, firstGroup, endGroup);
}
export function matmul_f32_q6_K(y: usize, x: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  matmul<Q6_K>(y, x, w, scratch, m, k, yStride, xStride, firstGroup, endGroup);
}
