import { groupAt } from '../weights/types';
import { valueAt } from '../weights/unpack';

/** embed_f32_*: out[i] = row ids[i] (i32) of packed w, dequantised, for i = first..end. Rows of out are outStride elements apart. */
// @ts-ignore: decorator
@inline export function embed<W>(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void {
  for (let i = first; i < end; i++) {
    const id = load<u32>(ids + (<usize>i << 2)), to = out + (<usize>i * <usize>outStride << 2);
    const group = groupAt<W>(w, id >> 3, k);
    for (let column: usize = 0; column < <usize>k; column++) store<f32>(to + (column << 2), valueAt<W>(group, id & 7, column));
  }
}
