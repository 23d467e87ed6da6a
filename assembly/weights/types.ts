/**
 * What the shared code asks of a weight type. A class stands for each type, one file each, and answers in constants; every question is
 * answered at compile time, so one generic body serves all types. How to add one: CONTRIBUTING.md.
 *
 * Packed form: rows in groups of GROUP = 8. A float group is k-major; of the 16-bit floats two groups lie side by side, 16 bytes
 * each of every 32 (one token takes both at once, and two streams of memory would be slower than one). A quantised group is a run
 * of superblocks, each `subs` blocks of 32 columns: a header of scales, then the unsigned codes of the blocks (codes.ts, scales.ts). Some
 * types have a few bytes before them, once a group (groupHead).
 */

/** Rows of one packed group. */
export const GROUP: i32 = 8;
/** Columns of one block: they share one activation scale. */
export const BLOCK: i32 = 32;

/** How a quantised type keeps its scales (scales.ts). Value = scale x (code - offset): scales are integers times a power of two for each row. */
export const INTEGERS: i32 = 0;
/** Value = scale x code + minimum, both f32. */
export const MINIMA: i32 = 1;
/** The same in superblocks of 256 columns, with small integers for each 32. */
export const SUPER_MINIMA: i32 = 2;
/** Superblocks of symmetric codes, with small integer scales for each 16. */
export const SIXTEENTHS: i32 = 3;

// @ts-ignore: decorator
@inline export function is<A, B>(): bool { return idof<A>() == idof<B>(); }

/** An object of the type's class, for its constants and methods: they use no memory. */
// @ts-ignore: decorator
@inline export function the<W>(): W { return changetype<W>(0); }

/** Floats are stored per column, without blocks. */
// @ts-ignore: decorator
@inline export function isFloat<W>(): bool { return the<W>().bits >= 16; }

// @ts-ignore: decorator
@inline export function isF32<W>(): bool { return the<W>().bits == 32; }

/** Two groups lie side by side. */
// @ts-ignore: decorator
@inline export function isPaired<W>(): bool { return the<W>().bits == 16; }

/** Value = scale x code + minimum. The others are symmetric: scale x (code - offset). */
// @ts-ignore: decorator
@inline export function hasMinimum<W>(): bool { return isFloat<W>() ? false : the<W>().scales == MINIMA || hasSums<W>(); }

/** Superblocks of 256 columns with small integer scales. */
// @ts-ignore: decorator
@inline export function isK<W>(): bool { return isFloat<W>() ? false : the<W>().scales >= SUPER_MINIMA; }

/** Minima multiply the activations' 16-bit sums of a superblock, and scales the integer sums of its blocks (matmul_q8.ts). */
// @ts-ignore: decorator
@inline export function hasSums<W>(): bool { return isFloat<W>() ? false : the<W>().scales == SUPER_MINIMA; }

/** A block's halves have scales of their own. */
// @ts-ignore: decorator
@inline export function hasSixteenths<W>(): bool { return isFloat<W>() ? false : the<W>().scales == SIXTEENTHS; }

/** Scales are integers times a power of two for each row (integers.ts). */
// @ts-ignore: decorator
@inline export function hasIntegers<W>(): bool { return isFloat<W>() ? false : the<W>().scales == INTEGERS; }

/** Codes are whole bytes. */
// @ts-ignore: decorator
@inline export function isBytes<W>(): bool { return the<W>().bits == 8; }

/** Bits of a code above the low nibble: 0, 1, 2, or 4. */
// @ts-ignore: decorator
@inline export function highBits<W>(): i32 { return the<W>().bits - 4; }

/** What is subtracted from the unsigned codes of a symmetric type. */
// @ts-ignore: decorator
@inline export function offset<W>(): i32 { return hasMinimum<W>() ? 0 : 8 << highBits<W>(); }

/** Blocks of 32 columns in one superblock. */
// @ts-ignore: decorator
@inline export function subs<W>(): usize { return isK<W>() ? 8 : 1; }

/** Bytes of scales at the head of one packed superblock (scales.ts). */
// @ts-ignore: decorator
@inline export function headerBytes<W>(): usize {
  if (hasIntegers<W>()) return 16;
  return !isK<W>() ? 64 : hasSums<W>() ? 192 : 160;
}

/** Bytes of the codes of one packed block, 32 columns x 8 rows (codes.ts). */
// @ts-ignore: decorator
@inline export function codeBytes<W>(): usize { return 128 + 32 * <usize>highBits<W>(); }

// @ts-ignore: decorator
@inline export function superBytes<W>(): usize { return headerBytes<W>() + subs<W>() * codeBytes<W>(); }

/** Elements of one block in the file, which share its bytes: a superblock of one row. */
// @ts-ignore: decorator
@inline export function fileElements<W>(): i32 { return isFloat<W>() ? 1 : BLOCK * <i32>subs<W>(); }

// @ts-ignore: decorator
@inline export function fileBytes<W>(): i32 { return <i32>the<W>().fileBytes; }

/** Superblocks in a row of k columns. */
// @ts-ignore: decorator
@inline export function supers<W>(k: i32): i32 { return k / (BLOCK * <i32>subs<W>()); }

/** Bytes at the head of a group: of types with integer scales integers.ts, of f16 how its values are kept. */
// @ts-ignore: decorator
@inline export function groupHead<W>(): usize {
  if (isFloat<W>()) return the<W>().groupHead;
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

/** packed_bytes_*: bytes of n rows (rounded up to whole groups) of k columns in packed form. */
// @ts-ignore: decorator
@inline export function packedBytes<W>(n: i32, k: i32): usize {
  const rows = isPaired<W>() ? 2 * GROUP : GROUP;
  return <usize>((n + rows - 1) / rows) * groupBytes<W>(k);
}
