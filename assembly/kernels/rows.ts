import { SIMD } from '../lanes';
import { add, get, put } from '../vector';

/** y[i] = x[rows[i]] for i in first … end: rows of n elements, strides in elements; rows are i32. */
export function gather_rows_f32(y: usize, x: usize, rows: usize, n: i32, yStride: i32, xStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    memory.copy(y + ((row * <usize>yStride) << 2), x + ((<usize>load<u32>(rows + (row << 2)) * <usize>xStride) << 2), <usize>n << 2);
  }
}

/** y[rows[i]] += x[i]: the gradient of gather_rows_f32. No row may be named twice. */
export function scatter_rows_f32(y: usize, x: usize, rows: usize, n: i32, yStride: i32, xStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let to = y + ((<usize>load<u32>(rows + (row << 2)) * <usize>yStride) << 2), from = x + ((row * <usize>xStride) << 2), i = 0;
    if (SIMD) {
      for (; i + 4 <= n; i += 4, to += 16, from += 16) put<v128>(to, add<v128>(get<v128>(to), get<v128>(from)));
    }
    for (; i < n; ++i, to += 4, from += 4) store<f32>(to, load<f32>(to) + load<f32>(from));
  }
}
