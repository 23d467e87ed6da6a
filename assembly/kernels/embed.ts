import { BFloat16, Float32, Half, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0, groupAt } from '../weights/types';
import { valueAt } from '../weights/unpack';

/** out[i] = row ids[i] (i32) of packed w, dequantised, for i = first..end. Rows of out are outStride elements apart. */
// @ts-ignore: decorator
@inline function embed<W>(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void {
  for (let i = first; i < end; i++) {
    const id = load<u32>(ids + (<usize>i << 2)), to = out + (<usize>i * <usize>outStride << 2);
    const group = groupAt<W>(w, id >> 3, k);
    for (let column: usize = 0; column < <usize>k; column++) store<f32>(to + (column << 2), valueAt<W>(group, id & 7, column));
  }
}

export function embed_f32_f32(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void { embed<Float32>(out, ids, w, k, outStride, first, end); }
export function embed_f32_f16(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void { embed<Half>(out, ids, w, k, outStride, first, end); }
export function embed_f32_bf16(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void { embed<BFloat16>(out, ids, w, k, outStride, first, end); }
export function embed_f32_q8_0(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void { embed<Q8_0>(out, ids, w, k, outStride, first, end); }
export function embed_f32_q4_0(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void { embed<Q4_0>(out, ids, w, k, outStride, first, end); }
export function embed_f32_q4_1(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void { embed<Q4_1>(out, ids, w, k, outStride, first, end); }
export function embed_f32_q5_0(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void { embed<Q5_0>(out, ids, w, k, outStride, first, end); }
export function embed_f32_q5_1(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void { embed<Q5_1>(out, ids, w, k, outStride, first, end); }
export function embed_f32_q4_K(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void { embed<Q4_K>(out, ids, w, k, outStride, first, end); }
export function embed_f32_q5_K(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void { embed<Q5_K>(out, ids, w, k, outStride, first, end); }
export function embed_f32_q6_K(out: usize, ids: usize, w: usize, k: i32, outStride: i32, first: i32, end: i32): void { embed<Q6_K>(out, ids, w, k, outStride, first, end); }
