import { SIMD } from '../lanes';
import { add, get, mul, put, splat } from '../vector';

/** Work items of kernels over the elements of a whole tensor: blocks of this many. */
export const ELEMENT_BLOCK: i32 = 1024;

/** y += x * scale, for the blocks first … end of 1,024 of `count` elements. */
export function add_scaled_f32(y: usize, x: usize, scale: f32, count: i32, first: i32, end: i32): void {
  const stop = min(end * ELEMENT_BLOCK, count);
  let i = first * ELEMENT_BLOCK;
  if (SIMD) {
    for (; i + 4 <= stop; i += 4) addScaled<v128>(y + (<usize>i << 2), x + (<usize>i << 2), splat<v128>(scale));
  }
  for (; i < stop; ++i) addScaled<f32>(y + (<usize>i << 2), x + (<usize>i << 2), scale);
}

// @ts-ignore: decorator
@inline
function addScaled<T>(y: usize, x: usize, scale: T): void {
  put<T>(y, add<T>(get<T>(y), mul<T>(get<T>(x), scale)));
}

/** y = 0, for the blocks first … end of 1,024 of `count` elements. */
export function zero_f32(y: usize, count: i32, first: i32, end: i32): void {
  const from = first * ELEMENT_BLOCK, stop = min(end * ELEMENT_BLOCK, count);
  memory.fill(y + (<usize>from << 2), 0, <usize>max(0, stop - from) << 2);
}
