import { SIMD } from '../lanes';
import { get, mul, put, splat } from '../vector';

/** y = x * factor for rows first … end of n elements; y may be x. Its gradient is the same call on dy. */
export function scale_f32(y: usize, x: usize, factor: f32, n: i32, yStride: i32, xStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) scaleRow(y + ((row * <usize>yStride) << 2), x + ((row * <usize>xStride) << 2), n, factor);
}

/** The same with a factor for each row. */
export function scale_rows_f32(y: usize, x: usize, factors: usize, n: i32, yStride: i32, xStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    scaleRow(y + ((row * <usize>yStride) << 2), x + ((row * <usize>xStride) << 2), n, load<f32>(factors + (row << 2)));
  }
}

function scaleRow(y: usize, x: usize, n: i32, factor: f32): void {
  let i = 0;
  if (SIMD) {
    for (; i + 4 <= n; i += 4, y += 16, x += 16) put<v128>(y, mul<v128>(get<v128>(x), splat<v128>(factor)));
  }
  for (; i < n; ++i, y += 4, x += 4) put<f32>(y, get<f32>(x) * factor);
}
