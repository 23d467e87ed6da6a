// Codes as files keep them (ggml-common.h): nibbles, and bits above them apart.

/** Element `column` of 32 in 16 bytes: 0..15 in the low nibbles, 16..31 in the high ones. */
// @ts-ignore: decorator
@inline export function nibbleAt(at: usize, column: usize): u32 { return <u32>load<u8>(at + (column & 15)) >> <u32>(column >> 4 << 2) & 15; }

/** Elements 16 * half.. of the same. */
// @ts-ignore: decorator
@inline export function nibblesOf(at: usize, half: i32): v128 { return v128.and(i16x8.shr_u(v128.load(at), half << 2), i8x16.splat(15)); }

/** The fifth bit of element `column` of 32: bit `column` of the u32 at `at`. */
// @ts-ignore: decorator
@inline export function fifthAt(at: usize, column: usize): u32 { return (load<u32>(at) >> <u32>column & 1) << 4; }

/** Those of elements 16 * half... */
// @ts-ignore: decorator
@inline export function fifthsOf(at: usize, half: i32): v128 {
  const two = v128.load16_splat(at + (<usize>half << 1)), each = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  const bytes = v128.shuffle<i8>(two, two, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  return v128.and(i8x16.eq(v128.and(bytes, each), each), i8x16.splat(16));
}

/** The fifth bits of two codes, of elements j and j + 16, in that word. */
// @ts-ignore: decorator
@inline export function putFifths(low: i32, high: i32, j: i32): u32 { return <u32>(low >> 4) << j | <u32>(high >> 4) << (j + 16); }

/** Element `column` of 32, one in a byte, at bit `shift` of it: `mask` of its bits. */
// @ts-ignore: decorator
@inline export function bitsAt(at: usize, shift: usize, column: usize, mask: u32): u32 { return <u32>load<u8>(at + column) >> <u32>shift & mask; }

/** Elements 16 * half.. of the same. */
// @ts-ignore: decorator
@inline export function bitsOf(at: usize, shift: usize, half: i32, mask: i8): v128 {
  return v128.and(i16x8.shr_u(v128.load(at + (<usize>half << 4)), <i32>shift), i8x16.splat(mask));
}
