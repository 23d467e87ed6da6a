// Four rows of four words, turned over.

/** Vector i of the transpose of four rows of four words. */
// @ts-ignore: decorator
@inline export function low(a: v128, b: v128): v128 { return v128.shuffle<i32>(a, b, 0, 4, 1, 5); }
// @ts-ignore: decorator
@inline export function high(a: v128, b: v128): v128 { return v128.shuffle<i32>(a, b, 2, 6, 3, 7); }
// @ts-ignore: decorator
@inline export function even(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 0, 2); }
// @ts-ignore: decorator
@inline export function odd(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 1, 3); }

/** Stores the transpose of four rows of four words, its vectors `stride` bytes apart. */
// @ts-ignore: decorator
@inline export function storeTransposed(dst: usize, stride: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab = low(a, b), cd = low(c, d), abHigh = high(a, b), cdHigh = high(c, d);
  v128.store(dst, even(ab, cd));
  v128.store(dst + stride, odd(ab, cd));
  v128.store(dst + 2 * stride, even(abHigh, cdHigh));
  v128.store(dst + 3 * stride, odd(abHigh, cdHigh));
}
