import { SIMD } from '../lanes';
import { add, get, put } from '../vector';

/** y = a + b for rows first … end of n elements; bStride 0 adds the same row b to each (a bias). y may be a or b. */
export function add_f32(y: usize, a: usize, b: usize, n: i32, yStride: i32, aStride: i32, bStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let to = y + ((row * <usize>yStride) << 2);
    let left = a + ((row * <usize>aStride) << 2);
    let right = b + ((row * <usize>bStride) << 2);
    let i = 0;
    if (SIMD) {
      for (; i + 4 <= n; i += 4, to += 16, left += 16, right += 16) put<v128>(to, add<v128>(get<v128>(left), get<v128>(right)));
    }
    for (; i < n; ++i, to += 4, left += 4, right += 4) put<f32>(to, add<f32>(get<f32>(left), get<f32>(right)));
  }
}
