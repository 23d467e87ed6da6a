import { RELAXED, SIMD, THREADS } from '../lanes';

/** Which build this module is: bit 0 simd128, bit 1 relaxed SIMD, bit 2 shared memory and atomics. */
export function build_kind(): i32 {
  return (SIMD ? 1 : 0) | (RELAXED ? 2 : 0) | (THREADS ? 4 : 0);
}
