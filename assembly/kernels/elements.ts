/** Work items of kernels over the elements of a whole tensor: blocks of this many. */
export const ELEMENT_BLOCK: i32 = 1024;

/** y = 0, for the blocks first … end of 1,024 of `count` elements. */
export function zero_f32(y: usize, count: i32, first: i32, end: i32): void {
  const from = first * ELEMENT_BLOCK, stop = min(end * ELEMENT_BLOCK, count);
  memory.fill(y + (<usize>from << 2), 0, <usize>max(0, stop - from) << 2);
}
