import { SIMD } from '../lanes';
import { halfOf, pairOffset } from '../weights/half';
import { INFINITE, SMALLEST, codes, largestLane, rounder, storeScale } from './quantize';

/*
 * A sequence keeps its keys and values in pages of PAGE tokens; a table of u32 holds their addresses. A page has the states of
 * all layers one after another; a state begins at the same offset in every page and has a region per KV head, cut into blocks
 * of BLOCK tokens at absolute positions. A block is made of tiles with 8 columns that attention multiplies as they lie, front to back:
 *
 * f32:   keys    [BLOCK/8 groups of tokens][headDim][8 tokens]         scores of 8 tokens come out in lanes
 *        values  [headDim/8 groups of dims, rounded up][BLOCK][8 dims]  dims past headDim are 0
 * q8_0:  keys    [BLOCK/8 groups of tokens][headDim/32 runs of dims, rounded up]: scales f32 [8 tokens], codes int8 [16 pairs of dims][8 tokens][2 dims]
 *        values  [headDim/32 runs of dims, rounded up]: scales f32 [BLOCK], codes int8 [4 groups of dims][BLOCK/2 pairs of tokens][8 dims][2 tokens]
 *        The last run has as many pairs and groups as it needs. All is read front to back, so that the machine fetches ahead.
 *        A scale serves up to 32 dims of one token; scale and codes follow the rule of quantize.ts.
 *
 * f16 and q4_0 are smaller forms of these two, which attention unpacks into them, block by block (kv_unpack.ts):
 *
 * f16:   as f32, 16 bits each: the nearest f16, ties to even, infinity beyond its range. Eight columns are four pairs (half.ts).
 * q4_0:  as q8_0, with scales in f16 (eight of them are four pairs) and codes of 4 bits plus 8, two in a byte:
 *        keys    codes [pairs of dims / 2][8 tokens][2 dims], those of the first pair in the low nibbles
 *        values  codes [groups of dims / 2][BLOCK/2 pairs of tokens][8 dims][2 tokens], those of the first group in the low nibbles
 *        A byte belongs to one token, since threads store tokens side by side. Rule, as ggml's: d = x / -8 of the first largest |x|,
 *        code = min(15, trunc(x * (1 / d) + 8.5)), then d is rounded to f16. A run with |x| < 2^-100 has d = 0; with an
 *        infinite or NaN value d = NaN.
 */
/** Bit 0: it is unpacked before it is multiplied; bit 1: products are of integers. */
export const enum Cache { F32, F16, Q8_0, Q4_0 }
export const BLOCK: i32 = 32;
/** A multiple of BLOCK. */
export const PAGE: i32 = 64;
export const COLUMNS: i32 = 8;
/** Dims that share a scale. */
export const SCALE_DIMS: i32 = 32;

export function kv_bytes_f32(context: i32, kvHeads: i32, headDim: i32): usize { return <usize>kvHeads * headBytes(context, headDim, Cache.F32); }
export function kv_bytes_f16(context: i32, kvHeads: i32, headDim: i32): usize { return <usize>kvHeads * headBytes(context, headDim, Cache.F16); }
export function kv_bytes_q8_0(context: i32, kvHeads: i32, headDim: i32): usize { return <usize>kvHeads * headBytes(context, headDim, Cache.Q8_0); }
export function kv_bytes_q4_0(context: i32, kvHeads: i32, headDim: i32): usize { return <usize>kvHeads * headBytes(context, headDim, Cache.Q4_0); }

/** Pairs of dims of a key. */
// @ts-ignore: decorator
@inline
export function keyPairs(headDim: i32): i32 {
  return (headDim + 1) >> 1;
}

/** Headdim rounded up to whole tiles. */
// @ts-ignore: decorator
@inline
export function paddedDim(headDim: i32): i32 {
  return (headDim + COLUMNS - 1) & -COLUMNS;
}

/** Bytes from one KV head to the next. */
export function headBytes(context: i32, headDim: i32, cache: i32): usize {
  return <usize>((context + BLOCK - 1) / BLOCK) * blockBytes(headDim, cache);
}

export function blockBytes(headDim: i32, cache: i32): usize {
  if (cache < Cache.Q8_0) return <usize>(BLOCK * (headDim + paddedDim(headDim))) << (cache == Cache.F32 ? 2 : 1);
  const keys = <usize>(BLOCK / COLUMNS) * (cache == Cache.Q8_0 ? keyGroupBytes(headDim) : keyNibbleBytes(headDim));
  if (cache == Cache.Q8_0) return keys + <usize>runs(headDim) * VALUE_SCALES + <usize>(BLOCK * paddedDim(headDim));
  return keys + <usize>runs(headDim) * (VALUE_SCALES >> 1) + <usize>((BLOCK / 2) * ((headDim + 15) & -16));
}

/** Bytes of a run's scales of 8 keys, and of BLOCK values. */
export const KEY_SCALES: usize = <usize>COLUMNS << 2, VALUE_SCALES: usize = <usize>BLOCK << 2;

/** Bytes of 8 quantised keys. */
// @ts-ignore: decorator
@inline
export function keyGroupBytes(headDim: i32): usize {
  return <usize>runs(headDim) * KEY_SCALES + <usize>(keyPairs(headDim) * 2 * COLUMNS);
}

/** Bytes of 8 keys of q4_0. */
export function keyNibbleBytes(headDim: i32): usize {
  return <usize>runs(headDim) * (KEY_SCALES >> 1) + <usize>(((headDim + 3) & -4) * (COLUMNS / 2));
}

// @ts-ignore: decorator
@inline
function runs(headDim: i32): i32 {
  return (headDim + SCALE_DIMS - 1) / SCALE_DIMS;
}

/** Tokens of a page. */
export function kv_page_tokens(): i32 {
  return PAGE;
}

/**
 * Stores rows first … end of k and v, kvHeads consecutive heads of headDim elements each (strides in elements): row i at
 * positions[i] (i32) of the sequence whose page table is at pages[i] (u32). `state` is the state's offset in a page.
 */
export function kv_store_f32(state: usize, k: usize, v: usize, positions: usize, pages: usize, kvHeads: i32, headDim: i32, kStride: i32, vStride: i32, first: i32, end: i32): void { storeRows(state, k, v, positions, pages, kvHeads, headDim, kStride, vStride, first, end, Cache.F32); }
export function kv_store_f16(state: usize, k: usize, v: usize, positions: usize, pages: usize, kvHeads: i32, headDim: i32, kStride: i32, vStride: i32, first: i32, end: i32): void { storeRows(state, k, v, positions, pages, kvHeads, headDim, kStride, vStride, first, end, Cache.F16); }
export function kv_store_q8_0(state: usize, k: usize, v: usize, positions: usize, pages: usize, kvHeads: i32, headDim: i32, kStride: i32, vStride: i32, first: i32, end: i32): void { storeRows(state, k, v, positions, pages, kvHeads, headDim, kStride, vStride, first, end, Cache.Q8_0); }
export function kv_store_q4_0(state: usize, k: usize, v: usize, positions: usize, pages: usize, kvHeads: i32, headDim: i32, kStride: i32, vStride: i32, first: i32, end: i32): void { storeRows(state, k, v, positions, pages, kvHeads, headDim, kStride, vStride, first, end, Cache.Q4_0); }

function storeRows(state: usize, k: usize, v: usize, positions: usize, pages: usize, kvHeads: i32, headDim: i32, kStride: i32, vStride: i32, first: i32, end: i32, cache: i32): void {
  for (let row = first; row < end; ++row) {
    const position = load<i32>(positions + (<usize>row << 2)), page = pageAt(load<usize>(pages + (<usize>row << 2)), position) + state;
    for (let head = 0; head < kvHeads; ++head) {
      const block = blockAt(page, headDim, position, head, cache), slot = position % BLOCK;
      const key = rowOf(k, row, kStride, head, headDim), value = rowOf(v, row, vStride, head, headDim);
      if (cache == Cache.F32) storeFloats(block, slot, key, value, headDim);
      else if (cache == Cache.F16) storeHalves(block, slot, key, value, headDim);
      else if (cache == Cache.Q8_0) storeCodes(block, slot, key, value, headDim);
      else storeNibbles(block, slot, key, value, headDim);
    }
  }
}

/** Address of the page that holds a position. */
// @ts-ignore: decorator
@inline
export function pageAt(table: usize, position: i32): usize {
  return load<usize>(table + (<usize>(position / PAGE) << 2));
}

/** `page`: where the state begins in it. */
// @ts-ignore: decorator
@inline
function blockAt(page: usize, headDim: i32, position: i32, head: i32, cache: i32): usize {
  return page + <usize>head * headBytes(PAGE, headDim, cache) + <usize>(position % PAGE / BLOCK) * blockBytes(headDim, cache);
}

// @ts-ignore: decorator
@inline
function rowOf(x: usize, token: i32, stride: i32, head: i32, headDim: i32): usize {
  return x + ((<usize>token * <usize>stride + <usize>(head * headDim)) << 2);
}

function storeFloats(block: usize, slot: i32, k: usize, v: usize, headDim: i32): void {
  const keys = block + (<usize>(slot / COLUMNS * headDim * COLUMNS + slot % COLUMNS) << 2);
  const values = block + (<usize>(BLOCK * headDim + slot * COLUMNS) << 2);
  let dim: usize = 0;
  if (SIMD) {
    for (; dim + 4 <= <usize>headDim; dim += 4) {
      const x = v128.load(k + (dim << 2)), to = keys + (dim << 5);
      v128.store32_lane(to, x, 0), v128.store32_lane(to, x, 1, 32), v128.store32_lane(to, x, 2, 64), v128.store32_lane(to, x, 3, 96);
      v128.store(values + floatOffset(dim), v128.load(v + (dim << 2)));
    }
  }
  for (; dim < <usize>headDim; ++dim) {
    store<f32>(keys + (dim << 5), load<f32>(k + (dim << 2)));
    store<f32>(values + floatOffset(dim), load<f32>(v + (dim << 2)));
  }
  for (; dim < <usize>paddedDim(headDim); ++dim) store<f32>(values + floatOffset(dim), 0);
}

/** Bytes from a value's dim 0 to another. */
// @ts-ignore: decorator
@inline
function floatOffset(dim: usize): usize {
  return ((dim / COLUMNS) * (BLOCK * COLUMNS) + dim % COLUMNS) << 2;
}

function storeHalves(block: usize, slot: i32, k: usize, v: usize, headDim: i32): void {
  const keys = block + (<usize>(slot / COLUMNS * headDim * COLUMNS) << 1) + pairOffset(slot % COLUMNS);
  const values = block + (<usize>(BLOCK * headDim + slot * COLUMNS) << 1);
  for (let dim: usize = 0; dim < <usize>paddedDim(headDim); ++dim) {
    const to = values + (dim / COLUMNS) * (BLOCK * COLUMNS * 2) + pairOffset(dim % COLUMNS), inside = dim < <usize>headDim;
    store<u16>(to, inside ? halfOf(load<f32>(v + (dim << 2))) : 0);
    if (inside) store<u16>(keys + (dim << 4), halfOf(load<f32>(k + (dim << 2))));
  }
}

function storeCodes(block: usize, slot: i32, k: usize, v: usize, headDim: i32): void {
  const column = <usize>(slot % COLUMNS);
  let keys = block + <usize>(slot / COLUMNS) * keyGroupBytes(headDim), values = block + <usize>(BLOCK / COLUMNS) * keyGroupBytes(headDim);
  for (let from = 0; from < headDim; from += SCALE_DIMS) {
    const count = min(SCALE_DIMS, headDim - from), at = <usize>from << 2;
    storeKeyCodes(keys + KEY_SCALES + 2 * column, k + at, count, storeScale(keys + (column << 2), largestBits(k + at, count)));
    storeValueCodes(values + VALUE_SCALES + <usize>((slot >> 1) * 2 * COLUMNS + (slot & 1)), v + at, count, storeScale(values + (<usize>slot << 2), largestBits(v + at, count)));
    keys += KEY_SCALES + <usize>(SCALE_DIMS * COLUMNS);
    values += VALUE_SCALES + <usize>(SCALE_DIMS * BLOCK);
  }
}

/** The bits of the largest magnitude; those of NaN are above all. */
function largestBits(x: usize, count: i32): i32 {
  let best = 0, i = 0;
  if (SIMD) {
    let most = i32x4.splat(0);
    for (; i + 4 <= count; i += 4, x += 16) most = i32x4.max_s(most, v128.and(v128.load(x), i32x4.splat(i32.MAX_VALUE)));
    best = largestLane(most);
  }
  for (; i < count; ++i, x += 4) best = max(best, load<i32>(x) & i32.MAX_VALUE);
  return best;
}

/** A run of a key: pairs of dims, 16 bytes apart. */
function storeKeyCodes(to: usize, x: usize, count: i32, inverse: f32): void {
  let i = 0;
  if (SIMD) {
    for (; i + 16 <= count; i += 16) {
      const sixteen = codesOf(x + (<usize>i << 2), inverse), at = to + (<usize>i << 3);
      v128.store16_lane(at, sixteen, 0), v128.store16_lane(at, sixteen, 1, 16), v128.store16_lane(at, sixteen, 2, 32), v128.store16_lane(at, sixteen, 3, 48);
      v128.store16_lane(at, sixteen, 4, 64), v128.store16_lane(at, sixteen, 5, 80), v128.store16_lane(at, sixteen, 6, 96), v128.store16_lane(at, sixteen, 7, 112);
    }
  }
  for (; i < count; ++i) store<i8>(to + <usize>((i >> 1) * 2 * COLUMNS + (i & 1)), codeOf(x + (<usize>i << 2), inverse));
}

/** A run of a value: dims 2 bytes apart, in groups of 8. */
function storeValueCodes(to: usize, x: usize, count: i32, inverse: f32): void {
  let i = 0;
  if (SIMD) {
    for (; i + 16 <= count; i += 16) {
      const sixteen = codesOf(x + (<usize>i << 2), inverse), at = to + (<usize>i << 5);
      v128.store8_lane(at, sixteen, 0), v128.store8_lane(at, sixteen, 1, 2), v128.store8_lane(at, sixteen, 2, 4), v128.store8_lane(at, sixteen, 3, 6);
      v128.store8_lane(at, sixteen, 4, 8), v128.store8_lane(at, sixteen, 5, 10), v128.store8_lane(at, sixteen, 6, 12), v128.store8_lane(at, sixteen, 7, 14);
      v128.store8_lane(at, sixteen, 8, 256), v128.store8_lane(at, sixteen, 9, 258), v128.store8_lane(at, sixteen, 10, 260), v128.store8_lane(at, sixteen, 11, 262);
      v128.store8_lane(at, sixteen, 12, 264), v128.store8_lane(at, sixteen, 13, 266), v128.store8_lane(at, sixteen, 14, 268), v128.store8_lane(at, sixteen, 15, 270);
    }
  }
  for (; i < count; ++i) store<i8>(to + <usize>((i / COLUMNS) * BLOCK * COLUMNS + (i % COLUMNS) * 2), codeOf(x + (<usize>i << 2), inverse));
}

// @ts-ignore: decorator
@inline
function codesOf(x: usize, inverse: f32): v128 {
  const by = f32x4.splat(inverse), round = rounder();
  return i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(codes(x, by, round), codes(x + 16, by, round)), i16x8.narrow_i32x4_s(codes(x + 32, by, round), codes(x + 48, by, round)));
}

// @ts-ignore: decorator
@inline
function codeOf(x: usize, inverse: f32): i8 {
  return inverse == 0 ? 0 : <i8><i32>nearest<f32>(load<f32>(x) * inverse);
}

function storeNibbles(block: usize, slot: i32, k: usize, v: usize, headDim: i32): void {
  const column = <usize>(slot % COLUMNS), groupBytes = keyNibbleBytes(headDim);
  const key = KEY_SCALES / 2 + 2 * column, value = VALUE_SCALES / 2 + <usize>((slot >> 1) * 2 * COLUMNS + (slot & 1));
  let keys = block + <usize>(slot / COLUMNS) * groupBytes, values = block + <usize>(BLOCK / COLUMNS) * groupBytes;
  for (let from = 0; from < headDim; from += SCALE_DIMS) {
    const count = min(SCALE_DIMS, headDim - from), at = <usize>from << 2;
    storeRun(keys + pairOffset(column), keys + key, k + at, count, 2, 1, 2 * COLUMNS);
    storeRun(values + <usize>(slot / COLUMNS) * (2 * COLUMNS) + pairOffset(column), values + value, v + at, count, COLUMNS, 2, BLOCK * COLUMNS);
    keys += KEY_SCALES / 2 + <usize>(SCALE_DIMS * COLUMNS / 2);
    values += VALUE_SCALES / 2 + <usize>(SCALE_DIMS * BLOCK / 2);
  }
}

/** Scale and codes of q4_0. Codes i and i + apart share a byte; those of i and i + 1 are `next` bytes apart, and after 2 x apart comes another group. */
function storeRun(scale: usize, to: usize, x: usize, count: i32, apart: i32, next: i32, groupBytes: i32): void {
  const peak = largestBits(x, count), usable = peak < INFINITE && reinterpret<f32>(peak) >= SMALLEST;
  let extreme = x;
  while ((load<i32>(extreme) & i32.MAX_VALUE) != peak) extreme += 4;
  const d: f32 = usable ? load<f32>(extreme) / -8 : peak < INFINITE ? 0 : NaN, inverse: f32 = usable ? 1 / d : 0;
  store<u16>(scale, halfOf(d));
  for (let i = 0; i < count; i += 2 * apart, to += groupBytes) {
    for (let j = 0; j < apart; ++j) store<u8>(to + <usize>(j * next), nibble(x, i + j, count, inverse) | nibble(x, i + j + apart, count, inverse) << 4);
  }
}

/** A code of q4_0: 8 stands for 0. */
function nibble(x: usize, i: i32, count: i32, inverse: f32): i32 {
  return i < count && inverse != 0 ? min(15, <i32>(load<f32>(x + (<usize>i << 2)) * inverse + 8.5)) : 8;
}
