import { SIMD } from '../lanes';
import { largest } from '../math';

/** Index of the largest of n values: the lowest on ties, never a NaN's; 0 when all are NaN. */
export function argmax_f32(x: usize, n: i32): i32 {
  const best = largest(x, n);
  let i = 0;
  if (SIMD) {
    const wanted = f32x4.splat(best);
    while (i + 4 <= n && !v128.any_true(f32x4.eq(v128.load(x + (<usize>i << 2)), wanted))) i += 4;
  }
  for (; i < n; ++i) if (load<f32>(x + (<usize>i << 2)) == best) return i;
  return 0;
}
