/**
 * y[m][n] = x[m][k] * w^T for packed weights, groups firstGroup..endGroup of 8 output columns (rows of w).
 * Whole groups are stored: yStride >= n rounded up to 8. y and x are f32, strides in elements, scratch is
 * matmul_scratch_bytes(k).
 *
 * Order of summation (contract, the same bits in every build, for every m and every split into groups):
 *   sum = 0; for k ascending: sum = sum + x[k] * w[k]     each operation rounded to f32, w[k] dequantised as in unpack.ts.
 */
import { SIMD } from '../lanes';
import { BFloat16 } from '../weights/bf16';
import { Half } from '../weights/f16';
import { Float32 } from '../weights/f32';
import { NORMAL_REBIAS, bfloats, shortMask, upperMask } from '../weights/half';
import { groupHead, groupAt, groupBytes, is, isPaired } from '../weights/types';
import { unpackFloats } from '../weights/unpack';
import { DEPTH, GEMM_BYTES, blockRows, inFours, multiplyPanel, packRows, panelOf } from './gemm';
import { MATMUL_Q8_BYTES } from './matmul_q8';
import { Fused, Separate, addProduct } from './tile';

/** Bytes of scratch for one thread: a panel of 8 rows and a token in f32, a block of the f32 product, or an integer panel and its tokens. */
export function matmul_scratch_bytes(k: i32): usize { return max(<usize>k * 36 + 64, max(GEMM_BYTES, MATMUL_Q8_BYTES)); }

/** Bytes of f32 weights that may well be in a cache: the next take one group at a time, one stream of memory instead of two (half as fast). */
const CACHED: usize = 256 << 10;

/** Fewer tokens are taken one after another: a tile would be half empty. */
const FEW: i32 = 3;

/** matmul_f32_*: f32 activations; the exact mode of quantised weights. */
// @ts-ignore: decorator
@inline export function matmul<W>(y: usize, x: usize, w: usize, scratch: usize, m: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  const yBytes = <usize>yStride << 2, xBytes = <usize>xStride << 2;
  if (m < FEW) multiplyFew<W>(y, x, w, scratch, m, k, yBytes, xBytes, firstGroup, endGroup);
  else multiplyBlocks<W, Separate>(y, x, w, scratch, m, k, yBytes, xBytes, firstGroup, endGroup);
}

/** `F`: how tile.ts multiplies. */
function multiplyBlocks<W, F>(y: usize, x: usize, w: usize, scratch: usize, m: i32, k: i32, yBytes: usize, xBytes: usize, firstGroup: i32, endGroup: i32): void {
  const block = blockRows<F>(m), four = inFours<F>(m);
  for (let column = 0; column < k; column += DEPTH) {
    const depth = min(DEPTH, k - column);
    for (let token = 0; token < m; token += block) {
      const rows = min(block, m - token);
      packRows<F>(scratch, x + <usize>token * xBytes + (<usize>column << 2), rows, depth, xBytes, four);
      for (let group = firstGroup; group < endGroup; group++) {
        const packed = groupAt<W>(w, group, k);
        if (!is<W, Float32>()) unpackFloats<W>(panelOf(scratch), packed, column, column + depth);
        const panel = is<W, Float32>() ? packed + (<usize>column << 5) : panelOf(scratch);
        multiplyPanel<F>(y + <usize>token * yBytes + (<usize>group << 5), panel, scratch, rows, depth, yBytes, column == 0, four);
      }
    }
  }
}

function multiplyFew<W>(y: usize, x: usize, w: usize, scratch: usize, m: i32, k: i32, yBytes: usize, xBytes: usize, firstGroup: i32, endGroup: i32): void {
  let group = firstGroup;
  if (SIMD && m == 1 && (isPaired<W>() || is<W, Float32>() && <usize>(endGroup - firstGroup) * groupBytes<W>(k) <= CACHED)) {
    if (isPaired<W>() && group & 1) multiplyGroup<W>(y, x, w, scratch, m, k, yBytes, xBytes, group++);
    const values = is<W, Half>() ? scratch + (<usize>k << 5) : x, exact = !is<W, Half>() || scaleActivations(values, x, k);
    for (; group + 2 <= endGroup; group += 2) {
      const a = groupAt<W>(w, group, k), b = groupAt<W>(w, group + 1, k);
      if (exact && !(is<W, Half>() && load<u32>(a) | load<u32>(b))) {
        multiplyTwoGroups<W>(y + (<usize>group << 5), values, a + groupHead<W>(), k);
      } else {
        multiplyGroup<W>(y, x, w, scratch, m, k, yBytes, xBytes, group);
        multiplyGroup<W>(y, x, w, scratch, m, k, yBytes, xBytes, group + 1);
      }
    }
  }
  for (; group < endGroup; group++) multiplyGroup<W>(y, x, w, scratch, m, k, yBytes, xBytes, group);
}

/** A few tokens x 8 rows. */
function multiplyGroup<W>(y: usize, x: usize, w: usize, scratch: usize, m: i32, k: i32, yBytes: usize, xBytes: usize, group: i32): void {
  const packed = groupAt<W>(w, group, k), panel = is<W, Float32>() ? packed : scratch;
  if (!is<W, Float32>()) unpackFloats<W>(panel, packed, 0, k);
  y += <usize>group << 5;
  for (let token: usize = 0; token < <usize>m; token++) {
    if (SIMD) multiplyOne(y + token * yBytes, x + token * xBytes, panel, k);
    else multiplyOneByValue(y + token * yBytes, x + token * xBytes, panel, k);
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

/**
 * scaled = x * NORMAL_REBIAS: f16 weights are taken as much too small, exactly the same products. False where some |x| is too
 * large for it or no number.
 */
function scaleActivations(scaled: usize, x: usize, k: i32): bool {
  let largest: u32 = 0;
  for (let column: usize = 0; column < <usize>k; column++) {
    const value = load<f32>(x + (column << 2));
    largest = max(largest, reinterpret<u32>(abs(value)));
    store<f32>(scaled + (column << 2), value * NORMAL_REBIAS);
  }
  return largest < TOO_LARGE;
}
/** The bits of 2^25. */
const TOO_LARGE: u32 = 127 + 25 << 23;

/** One token, 16 rows straight from the columns of a group and the next: four independent sums hide the latency of the additions. */
function multiplyTwoGroups<W>(y: usize, x: usize, columns: usize, k: i32): void {
  const mask = is<W, BFloat16>() ? upperMask() : shortMask();
  let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0;
  let a = is<W, Half>() ? columns - 2 : columns, b = a + groupBytes<W>(k);
  for (; k > 0; k--) {
    const value = v128.load32_splat(x);
    a0 = addProduct<Separate>(a0, value, fourRows<W>(a, 0, mask)); a1 = addProduct<Separate>(a1, value, fourRows<W>(a, 1, mask));
    b0 = addProduct<Separate>(b0, value, isPaired<W>() ? fourRows<W>(a, 2, mask) : v128.load(b));
    b1 = addProduct<Separate>(b1, value, isPaired<W>() ? fourRows<W>(a, 3, mask) : v128.load(b, 16));
    x += 4;
    a += 32;
    if (!isPaired<W>()) b += 32;
  }
  storeRow(y, a0, a1);
  storeRow(y + 32, b0, b1);
}

/** Rows 4 * i.. of the column at `at`; of f16 two bytes before it, so that every value lies in the upper half of its lane. */
// @ts-ignore: decorator
@inline function fourRows<W>(at: usize, i: i32, mask: v128): v128 {
  if (is<W, Float32>()) return i ? v128.load(at, 16) : v128.load(at);
  if (is<W, BFloat16>()) return bfloats(i & 2 ? v128.load(at, 16) : v128.load(at), i & 1, mask);
  const low = i & 2 ? v128.load(at, 16) : v128.load(at), high = i & 2 ? v128.load(at, 18) : v128.load(at, 2);
  return v128.and(i32x4.shr_s(i & 1 ? high : low, 3), mask);
}

/** As matmul_f32_f32, with Fused of tile.ts: for training, where the user prefers speed to the same bits everywhere. */
export function matmul_f32_f32_fused(y: usize, x: usize, w: usize, scratch: usize, m: i32, k: i32, yStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  multiplyBlocks<Float32, Fused>(y, x, w, scratch, m, k, <usize>yStride << 2, <usize>xStride << 2, firstGroup, endGroup);
}
