/**
 * The blocked f32 product under matmul.ts and matmul_grad.ts: C[i][j] = C[i][j] + sum over r of A[r][i] * B[r][j].
 *
 * A is packed in slivers of 5 i (6 where multiply and add are one), [r][5]; B in panels of 8 j, [r][8]; tile.ts multiplies one by the other while r runs over a
 * block of DEPTH. Between blocks a tile of C rests in memory, which changes no bit. Order of summation (contract):
 *   sum = C (or 0); for r ascending: sum = sum + A[r] * B[r]     multiply and add each rounded to f32 (tile.ts, Separate).
 *
 * Packing costs a few percent and makes every load of the inner loop a step ahead: rows of activations whose distance is a
 * power of two would fall into the same few lines of the cache.
 */
import { SIMD } from '../lanes';
import { packAcross, packAlong } from './slivers';
import { multiplyFour, multiplyTile, tileRows } from './tile';

/** r of one block: a panel of B (8 KiB) and a sliver of A (5 or 6 KiB) stay in the first cache. */
export const DEPTH: i32 = 256;
/** Most i of one block, whole slivers of either height: packed A (270 KiB) stays in the second. */
const ROWS: i32 = 270;

const TILE_BYTES: usize = 192;
const BLOCK_BYTES: usize = <usize>(ROWS * DEPTH) << 2;
export const PANEL_BYTES: usize = <usize>DEPTH << 5;

/** Scratch of one thread: a tile, the packed block of A, one panel of B. */
export const GEMM_BYTES: usize = TILE_BYTES + BLOCK_BYTES + PANEL_BYTES;
// @ts-ignore: decorator
@inline function blockOf(scratch: usize): usize { return scratch + TILE_BYTES; }
// @ts-ignore: decorator
@inline export function panelOf(scratch: usize): usize { return scratch + TILE_BYTES + BLOCK_BYTES; }

/** i of each block but the last: whole slivers, about the same number in each. */
export function blockRows<F>(rows: i32): i32 {
  const blocks = (rows + ROWS - 1) / ROWS, each = (rows + blocks - 1) / blocks, height = tileRows<F>();
  return (each + height - 1) / height * height;
}

/** Few i leave less of their slivers of four empty than of those of five; many do more in five. */
// @ts-ignore: decorator
@inline export function inFours<F>(rows: i32): bool {
  return tileRows<F>() == 5 && rows <= 16 && (rows + 3 & ~3) < (rows + 4) / 5 * 5;
}

/** A from rows that run along r: x[rows][depth]; `four`: in slivers of four. */
export function packRows<F>(scratch: usize, x: usize, rows: i32, depth: i32, xBytes: usize, four: bool): void {
  if (four) packAcross(4, blockOf(scratch), x, rows, depth, xBytes);
  else packAcross(tileRows<F>(), blockOf(scratch), x, rows, depth, xBytes);
}

/** A from rows that run along i: x[depth][rows]. */
export function packColumns<F>(scratch: usize, x: usize, rows: i32, depth: i32, xBytes: usize): void {
  packAlong(tileRows<F>(), blockOf(scratch), x, rows, depth, xBytes);
}

// @ts-ignore: decorator
@inline function multiplySliver<F>(c: usize, a: usize, panel: usize, depth: i32, rowBytes: usize, fresh: bool, four: bool): void {
  if (four) multiplyFour(c, a, panel, depth, rowBytes, fresh);
  else multiplyTile<F>(c, a, panel, depth, rowBytes, fresh);
}

/** The block of A in `scratch` times one panel: `rows` rows of C, 32 bytes each, rowBytes apart; from 0 if fresh. */
export function multiplyPanel<F>(c: usize, panel: usize, scratch: usize, rows: i32, depth: i32, rowBytes: usize, fresh: bool, four: bool): void {
  const height = four ? 4 : tileRows<F>();
  let a = blockOf(scratch), row = 0;
  for (; row + height <= rows; row += height) {
    multiplySliver<F>(c, a, panel, depth, rowBytes, fresh, four);
    a += <usize>(depth * height) << 2;
    c += rowBytes * height;
  }
  if (row == rows) return;
  for (let i: usize = 0; i < <usize>(rows - row); i++) copyEight(scratch + (i << 5), c + i * rowBytes);
  multiplySliver<F>(scratch, a, panel, depth, 32, fresh, four);
  for (let i: usize = 0; i < <usize>(rows - row); i++) copyEight(c + i * rowBytes, scratch + (i << 5));
}

// @ts-ignore: decorator
@inline function copyFour(to: usize, from: usize): void {
  if (SIMD) v128.store(to, v128.load(from));
  else store<u64>(to, load<u64>(from)), store<u64>(to, load<u64>(from, 8), 8);
}

// @ts-ignore: decorator
@inline export function copyEight(to: usize, from: usize): void {
  copyFour(to, from);
  copyFour(to + 16, from + 16);
}
