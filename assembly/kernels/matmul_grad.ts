/**
 * Gradients of y = x w^T (matmul.ts): dx[m][k] = dy[m][n] w[n][k] for every weight type, dw[n][k] += dy^T x for f32.
 *
 * w and dw are packed (types.ts); dy, x, dx are f32 rows, strides in elements, a multiple of 8. dy's columns from n to the next
 * multiple of 8 are 0. dx is stored in whole eights of columns. Scratch is matmul_grad_scratch_bytes(m, n, k).
 *
 * Order of summation (contract, the same bits in every build and for every split of the range), each operation rounded to f32:
 *   dx: sum = accumulate ? dx : 0; for rows of w ascending:  sum = sum + dy[row] * w[row]
 *   dw: sum = dw;                  for tokens ascending:     sum = sum + dy[token] * x[token]
 * so a batch in one call and the same batch in several give the same dw.
 */
import { SIMD } from '../lanes';
import { storeTransposed } from '../weights/transpose';
import {
  BFloat16, BLOCK, Float32, GROUP, Half, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0, groupBytes, is, subs,
} from '../weights/types';
import { unpackFloats } from '../weights/unpack';
import { DEPTH, GEMM_BYTES, ROWS, blockOf, copyEight, multiplyPanel, packAcross, packAlong, panelOf } from './gemm';

/** Columns of w unpacked at a time: a superblock. DEPTH rows of them take 256 KiB. */
const CHUNK: i32 = 256;
const CHUNK_BYTES: usize = <usize>(CHUNK * DEPTH) << 2;

/** Bytes of scratch for one thread. */
export function matmul_grad_scratch_bytes(m: i32, n: i32, k: i32): usize { return GEMM_BYTES + CHUNK_BYTES; }

/** Items of the gradient of x: blocks of 32 columns. */
export function matmul_grad_x_items(k: i32): i32 { return (k + BLOCK - 1) / BLOCK; }

// @ts-ignore: decorator
@inline function gradX<W>(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  const dxBytes = <usize>dxStride << 2, dyBytes = <usize>dyStride << 2, endColumn = min(end * BLOCK, k);
  for (let row = 0; row < n; row += DEPTH) {
    const depth = min(DEPTH, n - row), groups = (depth + GROUP - 1) / GROUP, fresh = row == 0 && !accumulate;
    const packed = w + <usize>(row / GROUP) * groupBytes<W>(k);
    for (let column = first * BLOCK; column < endColumn;) {
      const next = is<W, Float32>() ? endColumn : min(endColumn, column - column % CHUNK + CHUNK);
      const floats = is<W, Float32>() ? packed + (<usize>column << 5) : unpackChunk<W>(scratch + GEMM_BYTES, packed, groups, k, column, next);
      const stride = is<W, Float32>() ? groupBytes<W>(k) : <usize>CHUNK << 5;
      for (let token = 0; token < m; token += ROWS) {
        const rows = min(ROWS, m - token);
        packAcross(blockOf(scratch), dy + <usize>token * dyBytes + (<usize>row << 2), rows, depth, dyBytes);
        for (let at = column; at < next; at += GROUP) {
          packPanel(panelOf(scratch), floats + (<usize>(at - column) << 5), groups, stride, k - at);
          multiplyPanel(dx + <usize>token * dxBytes + (<usize>at << 2), panelOf(scratch), scratch, rows, depth, dxBytes, fresh);
        }
      }
      column = next;
    }
  }
}

/** Columns first..end of some groups to f32, groups CHUNK columns apart; returns where column `first` is. Superblocks are unpacked whole. */
function unpackChunk<W>(chunk: usize, packed: usize, groups: i32, k: i32, first: i32, end: i32): usize {
  const whole = BLOCK * <i32>subs<W>(), from = first - first % whole, to = min(k, (end + whole - 1) / whole * whole);
  for (let group: usize = 0; group < <usize>groups; group++) {
    unpackFloats<W>(chunk + group * (<usize>CHUNK << 5), packed + group * groupBytes<W>(k), from, to);
  }
  return chunk + (<usize>(first - from) << 5);
}

/** Panel [row][8 columns] from groups of [column][8 rows] `stride` apart; columns that w has not are 0. */
function packPanel(panel: usize, floats: usize, groups: i32, stride: usize, columns: i32): void {
  for (let group = 0; group < groups; group++) {
    if (SIMD && columns >= GROUP) {
      packSquare(panel, floats);
      packSquare(panel + 16, floats + 128);
      packSquare(panel + 128, floats + 16);
      packSquare(panel + 144, floats + 144);
    } else {
      for (let row = 0; row < GROUP; row++) {
        for (let column = 0; column < GROUP; column++) {
          store<f32>(panel + (<usize>(row * GROUP + column) << 2), column < columns ? load<f32>(floats + (<usize>(column * GROUP + row) << 2)) : 0);
        }
      }
    }
    panel += 256;
    floats += stride;
  }
}

/** Four rows by four columns of an 8 x 8 square, turned over. */
// @ts-ignore: decorator
@inline function packSquare(panel: usize, floats: usize): void {
  storeTransposed(panel, 32, v128.load(floats), v128.load(floats, 32), v128.load(floats, 64), v128.load(floats, 96));
}

export function matmul_f32_grad_w(dw: usize, dy: usize, x: usize, scratch: usize, m: i32, n: i32, k: i32, dyStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  const dyBytes = <usize>dyStride << 2, xBytes = <usize>xStride << 2;
  for (let token = 0; token < m; token += DEPTH) {
    const depth = min(DEPTH, m - token);
    for (let column = 0; column < k; column += ROWS) {
      const rows = min(ROWS, k - column);
      packAlong(blockOf(scratch), x + <usize>token * xBytes + (<usize>column << 2), rows, depth, xBytes);
      for (let group = <usize>firstGroup; group < <usize>endGroup; group++) {
        copyPanel(panelOf(scratch), dy + <usize>token * dyBytes + (group << 5), depth, dyBytes);
        multiplyPanel(dw + (group * <usize>k + <usize>column << 5), panelOf(scratch), scratch, rows, depth, 32, false);
      }
    }
  }
}

/** Eight columns of dy, [token][8]. */
function copyPanel(panel: usize, dy: usize, depth: i32, dyBytes: usize): void {
  for (let token = 0; token < depth; token++) {
    copyEight(panel, dy);
    panel += 32;
    dy += dyBytes;
  }
}

/** matmul_f32_*_grad_x: one for each type of the frozen or trained weight. */
export function matmul_f32_f32_grad_x(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<Float32>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
export function matmul_f32_f16_grad_x(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<Half>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
export function matmul_f32_bf16_grad_x(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<BFloat16>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
export function matmul_f32_q8_0_grad_x(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<Q8_0>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
export function matmul_f32_q4_0_grad_x(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<Q4_0>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
export function matmul_f32_q4_1_grad_x(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<Q4_1>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
export function matmul_f32_q5_0_grad_x(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<Q5_0>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
export function matmul_f32_q5_1_grad_x(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<Q5_1>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
export function matmul_f32_q4_K_grad_x(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<Q4_K>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
export function matmul_f32_q5_K_grad_x(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<Q5_K>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
export function matmul_f32_q6_K_grad_x(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<Q6_K>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
