/** Operand A of tile.ts, slivers of `height` rows (4 to 6, a constant of the caller's), [r][height]; what the last one lacks is 0. */
import { SIMD } from '../lanes';
import { storeTransposed } from '../weights/transpose';

/** From rows that run along r: x[rows][depth]. */
// @ts-ignore: decorator
@inline
export function packAcross(height: i32, a: usize, x: usize, rows: i32, depth: i32, xBytes: usize): void {
  const step = <usize>height << 2;
  for (let row = 0; row < rows; row += height, x += xBytes * <usize>height) {
    let r = 0;
    if (SIMD && row + height <= rows) {
      for (; r + 4 <= depth; r += 4, a += step << 2) {
        const from = x + (<usize>r << 2);
        storeTransposed(a, step, v128.load(from), v128.load(from + xBytes), v128.load(from + 2 * xBytes), v128.load(from + 3 * xBytes));
        if (height > 4) storeLanes(a + 16, step, v128.load(from + 4 * xBytes));
        if (height > 5) storeLanes(a + 20, step, v128.load(from + 5 * xBytes));
      }
    }
    for (; r < depth; r++, a += step) {
      for (let i = 0; i < height; i++) store<f32>(a + (<usize>i << 2), row + i < rows ? load<f32>(x + <usize>i * xBytes + (<usize>r << 2)) : 0);
    }
  }
}

// @ts-ignore: decorator
@inline
function storeLanes(to: usize, step: usize, x: v128): void {
  v128.store32_lane(to, x, 0);
  v128.store32_lane(to + step, x, 1);
  v128.store32_lane(to + 2 * step, x, 2);
  v128.store32_lane(to + 3 * step, x, 3);
}

/** From rows that run along i: x[depth][rows]. */
// @ts-ignore: decorator
@inline
export function packAlong(height: i32, a: usize, x: usize, rows: i32, depth: i32, xBytes: usize): void {
  const step = <usize>height << 2;
  for (let row = 0; row < rows; row += height) {
    let from = x + (<usize>row << 2);
    const whole = row + height <= rows;
    for (let r = 0; r < depth; r++, a += step, from += xBytes) {
      if (!whole) for (let i = 0; i < height; i++) store<f32>(a + (<usize>i << 2), row + i < rows ? load<f32>(from + (<usize>i << 2)) : 0);
      else if (SIMD) v128.store(a, v128.load(from));
      else for (let at: usize = 0; at < 16; at += 4) store<f32>(a + at, load<f32>(from + at));
      if (whole && height > 4) store<f32>(a, load<f32>(from, 16), 16);
      if (whole && height > 5) store<f32>(a, load<f32>(from, 20), 20);
    }
  }
}
