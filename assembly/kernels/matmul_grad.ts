/**
 * Gradients of y = x w^T (matmul.ts): dx[m][k] = dy[m][n] w[n][k] for every weight type, dw[n][k] += dy^T x for f32.
 *
 * w and dw are packed (types.ts); dy, x, dx are f32 rows, strides in elements, a multiple of 8. dy's columns from n to the next
 * multiple of 8 are 0. dx is stored in whole eights of columns. Scratch is matmul_grad_scratch_bytes(k).
 *
 * Order of summation (contract, the same bits in every build and for every split of the range), each operation rounded to f32:
 *   dx: sum = accumulate ? dx : 0; for rows of w ascending:  sum = sum + dy[row] * w[row]
 *   dw: sum = dw;                  for tokens ascending:     sum = sum + dy[token] * x[token]
 * so a batch in one call and the same batch in several give the same dw.
 */
import { SIMD } from '../lanes';
import { Float32 } from '../weights/f32';
import { storeTransposed } from '../weights/transpose';
import { BLOCK, GROUP, groupAt, isF32, subs } from '../weights/types';
import { unpackFloats } from '../weights/unpack';
import { DEPTH, GEMM_BYTES, PANEL_BYTES, blockRows, copyEight, multiplyPanel, packColumns, packRows, panelOf } from './gemm';
import { Fused, Separate } from './tile';

/** Most columns of w turned over at a time: DEPTH rows of them take 1 MiB. */
const CHUNK: i32 = 1024;
/** Panels of dy copied at a time: whole lines of the cache, and 256 bytes of each page that a row lies on. */
const PANELS: i32 = 8;
/** Bytes of eight rows of a panel. */
const PANEL_ROWS: usize = 256;

/** Bytes of scratch for one thread. */
export function matmul_grad_scratch_bytes(k: i32): usize {
  return GEMM_BYTES + <usize>max(PANELS, min(CHUNK, k + GROUP - 1) / GROUP) * PANEL_BYTES;
}

/** Items of the gradient of x: blocks of 32 columns. */
export function matmul_grad_x_items(k: i32): i32 { return (k + BLOCK - 1) / BLOCK; }

/** matmul_f32_*_grad_x: one for each type of the frozen or trained weight. */
// @ts-ignore: decorator
@inline export function gradOfX<W>(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<W, Separate>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}

// @ts-ignore: decorator
@inline function gradX<W, F>(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  const dxBytes = <usize>dxStride << 2, dyBytes = <usize>dyStride << 2, endColumn = min(end * BLOCK, k), block = blockRows<F>(m);
  const panels = scratch + GEMM_BYTES;
  for (let row = 0; row < n; row += DEPTH) {
    const depth = min(DEPTH, n - row), fresh = row == 0 && !accumulate;
    for (let column = first * BLOCK; column < endColumn;) {
      const next = min(endColumn, column - column % CHUNK + CHUNK);
      packPanels<W>(panels, panelOf(scratch), w, row / GROUP, (row + depth + GROUP - 1) / GROUP, k, column, next);
      for (let token = 0; token < m; token += block) {
        const rows = min(block, m - token);
        packRows<F>(scratch, dy + <usize>token * dyBytes + (<usize>row << 2), rows, depth, dyBytes, false);
        for (let at: usize = 0; at < <usize>(next - column); at += GROUP) {
          multiplyPanel<F>(dx + <usize>token * dxBytes + (<usize>column + at << 2), panels + at / GROUP * PANEL_BYTES, scratch, rows, depth, dxBytes, fresh, false);
        }
      }
      column = next;
    }
  }
}

/** Columns first … end of groups group … endGroup, turned over to panels [row][8 columns]. `unpacked`: room for DEPTH columns of a group in f32. */
function packPanels<W>(panels: usize, unpacked: usize, w: usize, group: i32, endGroup: i32, k: i32, first: i32, end: i32): void {
  const whole = BLOCK * <i32>subs<W>();
  for (; group < endGroup; group++, panels += PANEL_ROWS) {
    const packed = groupAt<W>(w, group, k);
    for (let column = first; column < end;) {
      const next = min(end, column - column % DEPTH + DEPTH);
      const from = column - column % whole;
      if (!isF32<W>()) unpackFloats<W>(unpacked, packed, from, min(k, (next + whole - 1) / whole * whole));
      const floats = isF32<W>() ? packed + (<usize>column << 5) : unpacked + (<usize>(column - from) << 5);
      packGroup(panels + <usize>((column - first) / GROUP) * PANEL_BYTES, floats, next - column);
      column = next;
    }
  }
}

/** Eight rows of each panel, from [column][8 rows]; columns that w has not are 0. */
function packGroup(panel: usize, floats: usize, columns: i32): void {
  for (; columns > 0; columns -= GROUP, panel += PANEL_BYTES, floats += 256) {
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
  }
}

/** Four rows by four columns of an 8 x 8 square, turned over. */
// @ts-ignore: decorator
@inline function packSquare(panel: usize, floats: usize): void {
  storeTransposed(panel, 32, v128.load(floats), v128.load(floats, 32), v128.load(floats, 64), v128.load(floats, 96));
}

export function matmul_f32_grad_w(dw: usize, dy: usize, x: usize, scratch: usize, m: i32, k: i32, dyStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  gradW<Separate>(dw, dy, x, scratch, m, k, <usize>dyStride << 2, <usize>xStride << 2, firstGroup, endGroup);
}

function gradW<F>(dw: usize, dy: usize, x: usize, scratch: usize, m: i32, k: i32, dyBytes: usize, xBytes: usize, firstGroup: i32, endGroup: i32): void {
  const block = blockRows<F>(k), groupBytes = <usize>k << 5;
  for (let token = 0; token < m; token += DEPTH) {
    const depth = min(DEPTH, m - token);
    for (let column = 0; column < k; column += block) {
      const rows = min(block, k - column);
      packColumns<F>(scratch, x + <usize>token * xBytes + (<usize>column << 2), rows, depth, xBytes);
      for (let group = firstGroup; group < endGroup; group += PANELS) {
        const panels = min(PANELS, endGroup - group), panel = scratch + GEMM_BYTES;
        copyPanels(panel, dy + <usize>token * dyBytes + (<usize>group << 5), panels, depth, dyBytes);
        for (let i: usize = 0; i < <usize>panels; i++) {
          multiplyPanel<F>(dw + (<usize>group + i) * groupBytes + (<usize>column << 5), panel + i * PANEL_BYTES, scratch, rows, depth, 32, false, false);
        }
      }
    }
  }
}

/** Panels of eight columns of dy each, [token][8]. */
function copyPanels(panel: usize, dy: usize, panels: i32, depth: i32, dyBytes: usize): void {
  for (let token = 0; token < depth; token++, panel += 32, dy += dyBytes) {
    for (let i: usize = 0; i < <usize>panels; i++) copyEight(panel + i * PANEL_BYTES, dy + (i << 5));
  }
}

/** Gradients of f32 weights with Fused of tile.ts: for training, where the user prefers speed to the same bits everywhere. */
export function matmul_f32_f32_grad_x_fused(dx: usize, dy: usize, w: usize, scratch: usize, m: i32, n: i32, k: i32, dxStride: i32, dyStride: i32, accumulate: i32, first: i32, end: i32): void {
  gradX<Float32, Fused>(dx, dy, w, scratch, m, n, k, dxStride, dyStride, accumulate, first, end);
}
export function matmul_f32_grad_w_fused(dw: usize, dy: usize, x: usize, scratch: usize, m: i32, k: i32, dyStride: i32, xStride: i32, firstGroup: i32, endGroup: i32): void {
  gradW<Fused>(dw, dy, x, scratch, m, k, <usize>dyStride << 2, <usize>xStride << 2, firstGroup, endGroup);
}
