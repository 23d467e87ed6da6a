/**
 * The weight types and the shapes of their packed form. A tag class stands for each type; every question about a
 * tag is answered at compile time, so one generic body serves all types.
 *
 * Packed form: rows in groups of GROUP = 8. A float group is k-major; of the 16-bit floats two groups lie side by side, 16 bytes
 * each of every 32 (one token takes both at once, and two streams of memory would be slower than one). A quantised group is a run
 * of superblocks, each `subs` blocks of 32 columns: a header of scales, then the unsigned codes of the blocks (codes.ts, scales.ts). Some
 * types have a few bytes before them, once a group (groupHead).
 */
export class Float32 {}
export class Half {}
export class BFloat16 {}
export class Q8_0 {}
export class Q4_0 {}
export class Q4_1 {}
export class Q5_0 {}
export class Q5_1 {}
export class Q4_K {}
export class Q5_K {}
export class Q6_K {}

/** Rows of one packed group. */
export const GROUP: i32 = 8;
/** Columns of one block: they share one activation scale. */
export const BLOCK: i32 = 32;

// @ts-ignore: decorator
@inline export function is<A, B>(): bool { return idof<A>() == idof<B>(); }

/** Floats are stored per column, without blocks. */
// @ts-ignore: decorator
@inline function isFloat<W>(): bool { return is<W, Float32>() || is<W, Half>() || is<W, BFloat16>(); }

/** Two groups lie side by side. */
// @ts-ignore: decorator
@inline export function isPaired<W>(): bool { return is<W, Half>() || is<W, BFloat16>(); }

/** Value = scale x code + minimum. The others are symmetric: scale x (code - offset). */
// @ts-ignore: decorator
@inline export function hasMinimum<W>(): bool { return is<W, Q4_1>() || is<W, Q5_1>() || is<W, Q4_K>() || is<W, Q5_K>(); }

/** K-quants: superblocks of 256 columns with small integer scales per 32 (q6_K: per 16) columns. */
// @ts-ignore: decorator
@inline export function isK<W>(): bool { return is<W, Q4_K>() || is<W, Q5_K>() || is<W, Q6_K>(); }

/** q4_K and q5_K: minima multiply the activations' 16-bit sums of a superblock, and scales the integer sums of its blocks (matmul_q8.ts). */
// @ts-ignore: decorator
@inline export function hasSums<W>(): bool { return isK<W>() && hasMinimum<W>(); }

/** Bits of a code above the low nibble: 0, 1 or 2; q8_0 keeps whole bytes instead (4). */
// @ts-ignore: decorator
@inline export function highBits<W>(): i32 {
  if (is<W, Q8_0>()) return 4;
  if (is<W, Q6_K>()) return 2;
  return is<W, Q5_0>() || is<W, Q5_1>() || is<W, Q5_K>() ? 1 : 0;
}

/** What is subtracted from the unsigned codes of a symmetric type. */
// @ts-ignore: decorator
@inline export function offset<W>(): i32 {
  return hasMinimum<W>() ? 0 : 8 << highBits<W>();
}

/** Blocks of 32 columns in one superblock. */
// @ts-ignore: decorator
@inline export function subs<W>(): usize { return isK<W>() ? 8 : 1; }

/** Scales are integers times a power of two for each row (integers.ts). */
// @ts-ignore: decorator
@inline export function hasIntegers<W>(): bool { return is<W, Q8_0>() || is<W, Q4_0>() || is<W, Q5_0>(); }

/** Bytes of scales at the head of one packed superblock (scales.ts). */
// @ts-ignore: decorator
@inline export function headerBytes<W>(): usize {
  if (hasIntegers<W>()) return 16;
  return !isK<W>() ? 64 : is<W, Q6_K>() ? 160 : 192;
}

/** Bytes of the codes of one packed block, 32 columns x 8 rows (codes.ts). */
// @ts-ignore: decorator
@inline export function codeBytes<W>(): usize { return 128 + 32 * <usize>highBits<W>(); }

// @ts-ignore: decorator
@inline export function superBytes<W>(): usize { return headerBytes<W>() + subs<W>() * codeBytes<W>(); }

/** Bytes of one superblock of one row in the file (ggml-common.h). */
// @ts-ignore: decorator
@inline export function fileBytes<W>(): usize {
  if (isK<W>()) return 144 + 32 * <usize>highBits<W>() + (is<W, Q6_K>() ? 2 : 0);
  return is<W, Q8_0>() ? 34 : 18 + (hasMinimum<W>() ? 2 : 0) + 4 * <usize>highBits<W>();
}

/** Superblocks in a row of k columns. */
// @ts-ignore: decorator
@inline export function supers<W>(k: i32): i32 { return k / (BLOCK * <i32>subs<W>()); }

/** Bytes at the head of a group. f16: like a column, u32, how its values are kept (half.ts), nothing else; types with integer scales: integers.ts. */
// @ts-ignore: decorator
@inline export function groupHead<W>(): usize {
  if (is<W, Half>()) return 32;
  return hasIntegers<W>() ? 16 : 0;
}

/** Bytes of 8 packed rows of k columns; of 16 where groups are paired. */
// @ts-ignore: decorator
@inline export function groupBytes<W>(k: i32): usize {
  return groupHead<W>() + (isFloat<W>() ? <usize>k * 32 : <usize>supers<W>(k) * superBytes<W>());
}

/** Where a group of packed rows of k columns begins. */
// @ts-ignore: decorator
@inline export function groupAt<W>(w: usize, group: i32, k: i32): usize {
  return isPaired<W>() ? w + <usize>(group >> 1) * groupBytes<W>(k) + (<usize>(group & 1) << 4) : w + <usize>group * groupBytes<W>(k);
}

/** Bytes of n packed rows of k columns. */
// @ts-ignore: decorator
@inline export function packedBytes<W>(n: i32, k: i32): usize {
  const rows = isPaired<W>() ? 2 * GROUP : GROUP;
  return <usize>((n + rows - 1) / rows) * groupBytes<W>(k);
}
