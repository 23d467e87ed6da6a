/**
 * What attention over sequences and its gradient share: spans of rows, and the operands of the tiles of tile.ts.
 *
 * A span is a sequence, or a document in it: rows that see each other and no others. Rows of a span are counted from 0;
 * matrices of it are packed as tile.ts multiplies them:
 *   slivers across  [row / 4][dim][4 rows]      slivers along  [dim / 4][row][4 dims]
 *   panels across   [row / 8][dim][8 rows]      panels along   [dim / 8][row][8 dims]       what is missing is 0.
 */
import { SIMD } from '../lanes';
import { storeTransposed } from '../weights/transpose';

export const FOUR: i32 = 4, EIGHT: i32 = 8;
/** Bytes of a row of a panel. */
export const PANEL_ROW: usize = 32;

// @ts-ignore: decorator
@inline export function padded(n: i32, to: i32): i32 { return (n + to - 1) / to * to; }

/** Address of an element of rows. */
// @ts-ignore: decorator
@inline
export function at(base: usize, row: i32, stride: i32, column: i32): usize {
  return base + ((<usize>row * <usize>stride + <usize>column) << 2);
}

/** The first row of a span: that after the last of the one before. Behind the last span stands the number of all rows. */
// @ts-ignore: decorator
@inline export function spanFirst(spans: usize, span: i32): i32 { return load<i32>(spans + (<usize>span << 2)); }

/** Panels across, from x[rows][dims]. */
export function packPanelsAcross(panels: usize, x: usize, rows: i32, dims: i32, xBytes: usize): void {
  for (let row = 0; row < rows; row += EIGHT) {
    let dim = 0;
    if (SIMD && row + EIGHT <= rows) {
      for (; dim + FOUR <= dims; dim += FOUR) {
        const from = x + (<usize>dim << 2), to = panels + (<usize>dim << 5), lower = from + 4 * xBytes;
        storeTransposed(to, PANEL_ROW, v128.load(from), v128.load(from + xBytes), v128.load(from + 2 * xBytes), v128.load(from + 3 * xBytes));
        storeTransposed(to + 16, PANEL_ROW, v128.load(lower), v128.load(lower + xBytes), v128.load(lower + 2 * xBytes), v128.load(lower + 3 * xBytes));
      }
    }
    for (; dim < dims; dim++) {
      for (let i = 0; i < EIGHT; i++) {
        store<f32>(panels + (<usize>(dim * EIGHT + i) << 2), row + i < rows ? load<f32>(x + <usize>i * xBytes + (<usize>dim << 2)) : 0);
      }
    }
    panels += <usize>dims << 5;
    x += xBytes << 3;
  }
}

/** Panels along, from x[rows][dims]. */
export function packPanelsAlong(panels: usize, x: usize, rows: i32, dims: i32, xBytes: usize): void {
  for (let dim = 0; dim < dims; dim += EIGHT) {
    let from = x + (<usize>dim << 2);
    for (let row = 0; row < rows; row++, panels += PANEL_ROW, from += xBytes) {
      if (SIMD && dim + EIGHT <= dims) {
        v128.store(panels, v128.load(from));
        v128.store(panels, v128.load(from, 16), 16);
      } else {
        for (let i = 0; i < EIGHT; i++) store<f32>(panels + (<usize>i << 2), dim + i < dims ? load<f32>(from + (<usize>i << 2)) : 0);
      }
    }
  }
}

/** y[rows][dims] from a tile x[4 dims][8 rows], of which rows and dims may be fewer. */
export function storeTurned(y: usize, x: usize, rows: i32, dims: i32, yBytes: usize): void {
  let row = 0;
  if (SIMD && dims == FOUR) {
    for (; row + FOUR <= rows; row += FOUR, x += 16, y += yBytes << 2) storeTransposed(y, yBytes, v128.load(x), v128.load(x, 32), v128.load(x, 64), v128.load(x, 96));
  }
  for (; row < rows; row++, x += 4, y += yBytes) {
    for (let dim: usize = 0; dim < <usize>dims; dim++) store<f32>(y + (dim << 2), load<f32>(x + (dim << 5)));
  }
}
