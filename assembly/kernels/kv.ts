/*
 * The KV cache of one layer: a region per KV head, cut into blocks of BLOCK tokens at absolute positions. A block is made
 * of tiles with 8 columns that attention multiplies as they lie, front to back:
 *
 *   keys    [BLOCK/8 groups of tokens][headDim][8 tokens]       scores of 8 tokens come out in lanes
 *   values  [headDim/8 groups of dims, rounded up][BLOCK][8 dims]  dims past headDim are 0
 *
 * f32:   keys, then values.
 * q8_0:  key scales f32 [headDim/32 rounded up][BLOCK], value scales likewise, then keys and values as int8.
 *        A scale serves up to 32 dims of one token: largest magnitude / 127; codes are x * (127 / largest) rounded to the
 *        nearest, ties to even. A run that holds NaN or Infinity has no meaningful codes.
 */
export const BLOCK: i32 = 32;
export const COLUMNS: i32 = 8;
/** Dims that share a scale. */
export const SCALE_DIMS: i32 = 32;

export function kv_bytes_f32(context: i32, kvHeads: i32, headDim: i32): usize {
  return <usize>kvHeads * headBytes(context, headDim, false);
}

export function kv_bytes_q8_0(context: i32, kvHeads: i32, headDim: i32): usize {
  return <usize>kvHeads * headBytes(context, headDim, true);
}

/** Headdim rounded up to whole tiles. */
// @ts-ignore: decorator
@inline
export function paddedDim(headDim: i32): i32 {
  return (headDim + COLUMNS - 1) & -COLUMNS;
}

/** Bytes from one KV head to the next. */
export function headBytes(context: i32, headDim: i32, quantised: bool): usize {
  return <usize>((context + BLOCK - 1) / BLOCK) * blockBytes(headDim, quantised);
}

export function blockBytes(headDim: i32, quantised: bool): usize {
  const elements = <usize>(BLOCK * (headDim + paddedDim(headDim)));
  return quantised ? elements + 2 * scaleBytes(headDim) : elements << 2;
}

/** Bytes of a block's key scales, and of its value scales. */
// @ts-ignore: decorator
@inline
export function scaleBytes(headDim: i32): usize {
  return <usize>(((headDim + SCALE_DIMS - 1) / SCALE_DIMS) * BLOCK) << 2;
}

/** Elements from the start of a block's keys to key tile `group`, and of its values to value tile `group`. */
// @ts-ignore: decorator
@inline
export function keyTile(group: i32, headDim: i32): usize {
  return <usize>(group * headDim * COLUMNS);
}
// @ts-ignore: decorator
@inline
export function valueTile(group: i32): usize {
  return <usize>(group * BLOCK * COLUMNS);
}

/** Bytes from a scale array's start to the scales of the 32 dims that `dim` belongs to. */
// @ts-ignore: decorator
@inline
export function scaleRow(dim: i32): usize {
  return <usize>((dim / SCALE_DIMS) * BLOCK) << 2;
}

/**
 * Stores tokens first … end of a run: rows of k and v, kvHeads consecutive heads of headDim elements each, as positions
 * position + first …. Strides in elements.
 */
export function kv_store_f32(kv: usize, k: usize, v: usize, context: i32, kvHeads: i32, headDim: i32, position: i32, kStride: i32, vStride: i32, first: i32, end: i32): void {
  for (let token = first; token < end; ++token) {
    for (let head = 0; head < kvHeads; ++head) {
      const block = blockAt(kv, context, headDim, position + token, head, false);
      const slot = (position + token) % BLOCK;
      storeFloats(block, slot, rowOf(k, token, kStride, head, headDim), rowOf(v, token, vStride, head, headDim), headDim);
    }
  }
}

/** As kv_store_f32, with codes of 8 bits. */
export function kv_store_q8_0(kv: usize, k: usize, v: usize, context: i32, kvHeads: i32, headDim: i32, position: i32, kStride: i32, vStride: i32, first: i32, end: i32): void {
  for (let token = first; token < end; ++token) {
    for (let head = 0; head < kvHeads; ++head) {
      const block = blockAt(kv, context, headDim, position + token, head, true);
      const slot = (position + token) % BLOCK;
      storeCodes(block, slot, rowOf(k, token, kStride, head, headDim), rowOf(v, token, vStride, head, headDim), headDim);
    }
  }
}

// @ts-ignore: decorator
@inline
function blockAt(kv: usize, context: i32, headDim: i32, position: i32, head: i32, quantised: bool): usize {
  return kv + <usize>head * headBytes(context, headDim, quantised) + <usize>(position / BLOCK) * blockBytes(headDim, quantised);
}

// @ts-ignore: decorator
@inline
function rowOf(x: usize, token: i32, stride: i32, head: i32, headDim: i32): usize {
  return x + ((<usize>token * <usize>stride + <usize>(head * headDim)) << 2);
}

/** Element (slot, dim) of a block's keys, counted from their start. */
// @ts-ignore: decorator
@inline
function keyElement(slot: i32, dim: i32, headDim: i32): usize {
  return keyTile(slot / COLUMNS, headDim) + <usize>(dim * COLUMNS + slot % COLUMNS);
}

// @ts-ignore: decorator
@inline
function valueElement(slot: i32, dim: i32): usize {
  return valueTile(dim / COLUMNS) + <usize>(slot * COLUMNS + dim % COLUMNS);
}

function storeFloats(block: usize, slot: i32, k: usize, v: usize, headDim: i32): void {
  const values = block + (<usize>(BLOCK * headDim) << 2);
  for (let dim = 0; dim < headDim; ++dim) {
    const at = <usize>dim << 2;
    store<f32>(block + (keyElement(slot, dim, headDim) << 2), load<f32>(k + at));
    store<f32>(values + (valueElement(slot, dim) << 2), load<f32>(v + at));
  }
  for (let dim = headDim; dim < paddedDim(headDim); ++dim) store<f32>(values + (valueElement(slot, dim) << 2), 0);
}

function storeCodes(block: usize, slot: i32, k: usize, v: usize, headDim: i32): void {
  const keyScales = block + (<usize>slot << 2);
  const valueScales = keyScales + scaleBytes(headDim);
  const keys = block + 2 * scaleBytes(headDim);
  const values = keys + <usize>(BLOCK * headDim);
  for (let from = 0; from < headDim; from += SCALE_DIMS) {
    const to = min(from + SCALE_DIMS, headDim);
    const largestKey = largestMagnitude(k, from, to), largestValue = largestMagnitude(v, from, to);
    store<f32>(keyScales + scaleRow(from), largestKey / 127);
    store<f32>(valueScales + scaleRow(from), largestValue / 127);
    for (let dim = from; dim < to; ++dim) {
      store<i8>(keys + keyElement(slot, dim, headDim), code(k, dim, largestKey));
      store<i8>(values + valueElement(slot, dim), code(v, dim, largestValue));
    }
  }
  for (let dim = headDim; dim < paddedDim(headDim); ++dim) store<i8>(values + valueElement(slot, dim), 0);
}

function largestMagnitude(x: usize, from: i32, to: i32): f32 {
  let best: f32 = 0;
  for (let dim = from; dim < to; ++dim) {
    const size = NativeMathf.abs(load<f32>(x + (<usize>dim << 2)));
    best = best < size ? size : best;
  }
  return best;
}

// @ts-ignore: decorator
@inline
function code(x: usize, dim: i32, largest: f32): i8 {
  if (largest == 0) return 0;
  return <i8>(<i32>nearest<f32>(load<f32>(x + (<usize>dim << 2)) * (<f32>127 / largest)));
}
