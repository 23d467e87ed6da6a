import { SIMD } from '../lanes';
import { add, get, put } from '../vector';

/** Gradients of vectors share out their columns in blocks of this many: one cache line of each row. */
export const COLUMN_BLOCK: i32 = 16;

/**
 * Gradient of a bias: db[column] += dy[row][column], rows 0 … m - 1 in order. Items first … end are blocks of 16 columns,
 * ceil(columns / 16) in all.
 */
export function bias_f32_grad(db: usize, dy: usize, m: i32, columns: i32, dyStride: i32, first: i32, end: i32): void {
  const from = first * COLUMN_BLOCK, stop = min(end * COLUMN_BLOCK, columns);
  for (let row: usize = 0; row < <usize>m; ++row) addTo(db + (<usize>from << 2), dy + ((row * <usize>dyStride + <usize>from) << 2), stop - from);
}

/** y += x */
export function addTo(y: usize, x: usize, n: i32): void {
  let i = 0;
  if (SIMD) {
    for (; i + 4 <= n; i += 4, y += 16, x += 16) put<v128>(y, add<v128>(get<v128>(y), get<v128>(x)));
  }
  for (; i < n; ++i, y += 4, x += 4) put<f32>(y, get<f32>(y) + get<f32>(x));
}
