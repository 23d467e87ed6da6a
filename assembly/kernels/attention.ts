import { SIMD } from '../lanes';
import { exp, largest, sum } from '../math';
import { div, get, mul, put, splat, sub } from '../vector';
import { BLOCK, blockBytes, COLUMNS, headBytes, keyTile, paddedDim, scaleBytes, scaleRow, valueTile } from './kv';

/*
 * Causal grouped-query attention with an online softmax (Milakov and Gimelshein 2018) over the blocks of the KV cache.
 *
 * A work item is one KV head and up to TOKENS tokens; its rows are the query heads of that KV head, token by token.
 * Per block: scores = queries x key tiles, softmax of each row, output += probabilities x value tiles. Both products are
 * `multiply`, up to 4 rows by 8 columns in registers, so that the rows share what is loaded.
 *
 * Order of operations for one row, whatever rows stand beside it (so that bits do not depend on how a prompt is split):
 * a score sums over the dims in order; blocks lie at absolute positions; within a block the maximum is taken first,
 * exp(scale (score - maximum)) is summed in the order of math.ts, and the output adds keys in order, after its
 * rescaling by exp(scale (old maximum - new maximum)). The scale is positive.
 */

/** Tokens per work item: with 4 query heads per KV head, queries, scores and outputs of 64 dims stay within a 32 KiB cache. */
const TOKENS: i32 = 8;
const ROWS_AT_ONCE: i32 = 4;

/** Work items of m tokens. */
export function attention_items(m: i32, kvHeads: i32): i32 {
  return kvHeads * ((m + TOKENS - 1) / TOKENS);
}

/** Scratch that one thread needs; it does not grow with the context. */
export function attention_scratch_bytes(headDim: i32, headsPerGroup: i32): usize {
  const rows = <usize>(TOKENS * headsPerGroup);
  return offsetof<Item>() + tileBytes(headDim) + rows * (rowBytes() + (<usize>paddedDim(headDim) << 2));
}

/**
 * Attention of m tokens, stored already at positions position … position + m - 1, over all tokens up to their own.
 * q and out have rows of heads x headDim elements (strides in elements); query head h uses KV head h / (heads / kvHeads).
 */
export function attention_f32_f32(out: usize, q: usize, kv: usize, scratch: usize, m: i32, position: i32, heads: i32, kvHeads: i32, headDim: i32, context: i32, scale: f32, outStride: i32, qStride: i32, first: i32, end: i32): void {
  attendItems(out, q, kv, scratch, m, position, heads, kvHeads, headDim, context, scale, outStride, qStride, first, end, false);
}

/** As attention_f32_f32, over a q8_0 cache. */
export function attention_f32_q8_0(out: usize, q: usize, kv: usize, scratch: usize, m: i32, position: i32, heads: i32, kvHeads: i32, headDim: i32, context: i32, scale: f32, outStride: i32, qStride: i32, first: i32, end: i32): void {
  attendItems(out, q, kv, scratch, m, position, heads, kvHeads, headDim, context, scale, outStride, qStride, first, end, true);
}

/** What one work item is about; lies at the start of the scratch memory, followed by the tile and the row arrays. */
@unmanaged
class Item {
  quantised: bool;
  scale: f32;
  headDim: i32;
  rows: i32;
  /** Position of the last token. */
  last: i32;
  /** One tile of keys or values as f32 (q8_0 only). */
  tile: usize;
  /** Row arrays: address of the query, keys seen in the block, largest score, sum, BLOCK scores, paddedDim outputs. */
  query: usize;
  seen: usize;
  maximum: usize;
  total: usize;
  scores: usize;
  output: usize;
}

// @ts-ignore: decorator
@inline
function rowBytes(): usize {
  return 16 + (<usize>BLOCK << 2);
}

// @ts-ignore: decorator
@inline
function tileBytes(headDim: i32): usize {
  return <usize>(max(headDim, BLOCK) * COLUMNS) << 2;
}

function attendItems(out: usize, q: usize, kv: usize, scratch: usize, m: i32, position: i32, heads: i32, kvHeads: i32, headDim: i32, context: i32, scale: f32, outStride: i32, qStride: i32, first: i32, end: i32, quantised: bool): void {
  const group = heads / kvHeads;
  const item = layOut(scratch, headDim, group);
  item.quantised = quantised;
  item.scale = scale;
  for (let index = first; index < end; ++index) {
    const kvHead = index % kvHeads, token = (index / kvHeads) * TOKENS, tokens = min(TOKENS, m - token);
    const column = kvHead * group * headDim;
    item.rows = tokens * group;
    item.last = position + token + tokens - 1;
    startRows(item, q + ((<usize>token * <usize>qStride + <usize>column) << 2), qStride, group);
    attend(item, kv + <usize>kvHead * headBytes(context, headDim, quantised), position + token, group);
    finishRows(item, out + ((<usize>token * <usize>outStride + <usize>column) << 2), outStride, group);
  }
}

function layOut(scratch: usize, headDim: i32, group: i32): Item {
  const item = changetype<Item>(scratch);
  const rows = <usize>(TOKENS * group);
  item.headDim = headDim;
  item.tile = scratch + offsetof<Item>();
  item.query = item.tile + tileBytes(headDim);
  item.seen = item.query + (rows << 2);
  item.maximum = item.seen + (rows << 2);
  item.total = item.maximum + (rows << 2);
  item.scores = item.total + (rows << 2);
  item.output = item.scores + rows * (<usize>BLOCK << 2);
  return item;
}

function startRows(item: Item, q: usize, qStride: i32, group: i32): void {
  for (let row = 0; row < item.rows; ++row) {
    const at = <usize>row << 2;
    store<usize>(item.query + at, q + ((<usize>(row / group) * <usize>qStride + <usize>((row % group) * item.headDim)) << 2));
    store<f32>(item.maximum + at, -Infinity);
    store<f32>(item.total + at, 0);
  }
  memory.fill(item.output, 0, <usize>(item.rows * paddedDim(item.headDim)) << 2);
}

/** Walks the blocks up to the item's last token. `start`: position of its first. */
function attend(item: Item, block: usize, start: i32, group: i32): void {
  for (let at = 0; at <= item.last; at += BLOCK) {
    const keys = min(BLOCK, item.last + 1 - at);
    scoreBlock(item, block, keys);
    for (let row = 0; row < item.rows; ++row) {
      const seen = max(0, min(BLOCK, start + row / group + 1 - at));
      store<i32>(item.seen + (<usize>row << 2), seen);
      if (seen > 0) updateRow(item, row, seen);
    }
    addValues(item, block, keys);
    block += blockBytes(item.headDim, item.quantised);
  }
}

function scoreBlock(item: Item, block: usize, keys: i32): void {
  for (let group = 0; group * COLUMNS < keys; ++group) {
    const tile = keysOf(item, block, group);
    for (let row = 0; row < item.rows; row += ROWS_AT_ONCE) {
      const query = item.query + (<usize>row << 2);
      const rows = min(ROWS_AT_ONCE, item.rows - row);
      const scores = item.scores + (<usize>(row * BLOCK + group * COLUMNS) << 2);
      multiply(rows, item.headDim, load<usize>(query), load<usize>(query, 4), load<usize>(query, 8), load<usize>(query, 12), tile, scores, BLOCK, true);
    }
  }
}

/** Turns the row's scores into exponentials, updates its maximum and sum, and rescales its output so far. */
function updateRow(item: Item, row: i32, seen: i32): void {
  const scores = item.scores + (<usize>(row * BLOCK) << 2);
  const maximumAt = item.maximum + (<usize>row << 2), totalAt = item.total + (<usize>row << 2);
  for (let i = seen; i < BLOCK; ++i) store<f32>(scores + (<usize>i << 2), -Infinity);
  const old = load<f32>(maximumAt);
  const maximum = NativeMathf.max(old, largest(scores, BLOCK));
  if (SIMD) {
    for (let i = 0; i < BLOCK; i += 4) weigh<v128>(scores + (<usize>i << 2), splat<v128>(maximum), splat<v128>(item.scale));
  } else {
    for (let i = 0; i < BLOCK; ++i) weigh<f32>(scores + (<usize>i << 2), maximum, item.scale);
  }
  const shrink = exp<f32>((old - maximum) * item.scale);
  store<f32>(maximumAt, maximum);
  store<f32>(totalAt, load<f32>(totalAt) * shrink + sum(scores, BLOCK));
  if (shrink != 1) rescale(item.output + (<usize>(row * paddedDim(item.headDim)) << 2), paddedDim(item.headDim), shrink);
}

// @ts-ignore: decorator
@inline
function weigh<T>(score: usize, maximum: T, scale: T): void {
  put<T>(score, exp<T>(mul<T>(sub<T>(get<T>(score), maximum), scale)));
}

function rescale(x: usize, n: i32, by: f32): void {
  if (SIMD) {
    for (let i = 0; i < n; i += 4, x += 16) put<v128>(x, mul<v128>(get<v128>(x), splat<v128>(by)));
  } else {
    for (let i = 0; i < n; ++i, x += 4) put<f32>(x, get<f32>(x) * by);
  }
}

/** Rows of later tokens see more keys of the last block: those beyond the first row's are added row by row. */
function addValues(item: Item, block: usize, keys: i32): void {
  const padded = paddedDim(item.headDim);
  for (let group = 0; group * COLUMNS < padded; ++group) {
    const tile = valuesOf(item, block, group, keys);
    for (let row = 0; row < item.rows; row += ROWS_AT_ONCE) {
      const rows = min(ROWS_AT_ONCE, item.rows - row);
      const p = item.scores + (<usize>(row * BLOCK) << 2), stride = <usize>BLOCK << 2;
      const output = item.output + (<usize>(row * padded + group * COLUMNS) << 2);
      const shared = load<i32>(item.seen + (<usize>row << 2));
      multiply(rows, shared, p, p + stride, p + 2 * stride, p + 3 * stride, tile, output, padded, false);
      for (let i = 1; i < rows; ++i) {
        const more = load<i32>(item.seen + (<usize>(row + i) << 2)) - shared;
        const from = p + <usize>i * stride + (<usize>shared << 2);
        const rest = tile + (<usize>(shared * COLUMNS) << 2);
        if (more > 0) multiply(1, more, from, 0, 0, 0, rest, output + (<usize>(i * padded) << 2), padded, false);
      }
    }
  }
}

function finishRows(item: Item, out: usize, outStride: i32, group: i32): void {
  const headDim = item.headDim;
  for (let row = 0; row < item.rows; ++row) {
    const to = out + ((<usize>(row / group) * <usize>outStride + <usize>((row % group) * headDim)) << 2);
    const from = item.output + (<usize>(row * paddedDim(headDim)) << 2);
    const total = load<f32>(item.total + (<usize>row << 2));
    let i = 0;
    if (SIMD) {
      for (; i + 4 <= headDim; i += 4) put<v128>(to + (<usize>i << 2), div<v128>(get<v128>(from + (<usize>i << 2)), splat<v128>(total)));
    }
    for (; i < headDim; ++i) store<f32>(to + (<usize>i << 2), load<f32>(from + (<usize>i << 2)) / total);
  }
}

// Tiles

/** Key tile `group` of a block as f32. */
function keysOf(item: Item, block: usize, group: i32): usize {
  if (!item.quantised) return block + (keyTile(group, item.headDim) << 2);
  let codes = block + 2 * scaleBytes(item.headDim) + keyTile(group, item.headDim);
  const scales = block + (<usize>(group * COLUMNS) << 2);
  let to = item.tile;
  for (let dim = 0; dim < item.headDim; ++dim, codes += COLUMNS, to += COLUMNS << 2) {
    const at = scales + scaleRow(dim);
    if (SIMD) scaleCodes(to, codes, v128.load(at), v128.load(at, 16));
    else for (let i: usize = 0; i < <usize>COLUMNS; ++i) store<f32>(to + (i << 2), <f32>load<i8>(codes + i) * load<f32>(at + (i << 2)));
  }
  return item.tile;
}

/** Value tile `group` of a block as f32, its first `keys` rows. */
function valuesOf(item: Item, block: usize, group: i32, keys: i32): usize {
  const keysEnd = <usize>(BLOCK * item.headDim);
  if (!item.quantised) return block + ((keysEnd + valueTile(group)) << 2);
  let codes = block + 2 * scaleBytes(item.headDim) + keysEnd + valueTile(group);
  let at = block + scaleBytes(item.headDim) + scaleRow(group * COLUMNS);
  let to = item.tile;
  for (let key = 0; key < keys; ++key, at += 4, codes += COLUMNS, to += COLUMNS << 2) {
    if (SIMD) scaleCodes(to, codes, v128.load32_splat(at), v128.load32_splat(at));
    else for (let i: usize = 0; i < <usize>COLUMNS; ++i) store<f32>(to + (i << 2), <f32>load<i8>(codes + i) * load<f32>(at));
  }
  return item.tile;
}

/** Eight codes times their scales. */
// @ts-ignore: decorator
@inline
function scaleCodes(to: usize, codes: usize, scales0: v128, scales1: v128): void {
  const wide = v128.load8x8_s(codes);
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(wide)), scales0));
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(wide)), scales1), 16);
}

// The product

/**
 * c[r][0 … 8] = start + sum over i < depth, in order, of a_r[i] * b[i][0 … 8] for `rows` (1 to 4) rows; start is 0 if
 * `fresh`, else c. b is a tile, cStride in elements.
 */
function multiply(rows: i32, depth: i32, a0: usize, a1: usize, a2: usize, a3: usize, b: usize, c: usize, cStride: i32, fresh: bool): void {
  const stride = <usize>cStride << 2;
  if (SIMD) {
    if (rows == 4) multiplyRows(4, depth, a0, a1, a2, a3, b, c, stride, fresh);
    else if (rows == 3) multiplyRows(3, depth, a0, a1, a2, 0, b, c, stride, fresh);
    else if (rows == 2) multiplyRows(2, depth, a0, a1, 0, 0, b, c, stride, fresh);
    else multiplyRows(1, depth, a0, 0, 0, 0, b, c, stride, fresh);
    return;
  }
  multiplyRow(depth, a0, b, c, fresh);
  if (rows > 1) multiplyRow(depth, a1, b, c + stride, fresh);
  if (rows > 2) multiplyRow(depth, a2, b, c + 2 * stride, fresh);
  if (rows > 3) multiplyRow(depth, a3, b, c + 3 * stride, fresh);
}

function multiplyRow(depth: i32, a: usize, b: usize, c: usize, fresh: bool): void {
  for (let half = 0; half < 2; ++half, b += 16, c += 16) {
    let c0: f32 = 0, c1: f32 = 0, c2: f32 = 0, c3: f32 = 0;
    if (!fresh) (c0 = load<f32>(c)), (c1 = load<f32>(c, 4)), (c2 = load<f32>(c, 8)), (c3 = load<f32>(c, 12));
    for (let i = 0; i < depth; ++i) {
      const x = load<f32>(a + (<usize>i << 2)), row = b + (<usize>i << 5);
      c0 += x * load<f32>(row);
      c1 += x * load<f32>(row, 4);
      c2 += x * load<f32>(row, 8);
      c3 += x * load<f32>(row, 12);
    }
    store<f32>(c, c0), store<f32>(c, c1, 4), store<f32>(c, c2, 8), store<f32>(c, c3, 12);
  }
}

/** `rows` is a constant of the caller's. */
// @ts-ignore: decorator
@inline
function multiplyRows(rows: i32, depth: i32, a0: usize, a1: usize, a2: usize, a3: usize, b: usize, c: usize, stride: usize, fresh: bool): void {
  const zero = f32x4.splat(0);
  let c00 = zero, c01 = zero, c10 = zero, c11 = zero, c20 = zero, c21 = zero, c30 = zero, c31 = zero;
  if (!fresh) {
    (c00 = v128.load(c)), (c01 = v128.load(c, 16));
    if (rows > 1) (c10 = v128.load(c + stride)), (c11 = v128.load(c + stride, 16));
    if (rows > 2) (c20 = v128.load(c + 2 * stride)), (c21 = v128.load(c + 2 * stride, 16));
    if (rows > 3) (c30 = v128.load(c + 3 * stride)), (c31 = v128.load(c + 3 * stride, 16));
  }
  for (let i = 0; i < depth; ++i) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a0);
    (c00 = f32x4.add(c00, f32x4.mul(x0, b0))), (c01 = f32x4.add(c01, f32x4.mul(x0, b1)));
    if (rows > 1) {
      const x1 = v128.load32_splat(a1);
      (c10 = f32x4.add(c10, f32x4.mul(x1, b0))), (c11 = f32x4.add(c11, f32x4.mul(x1, b1)));
      a1 += 4;
    }
    if (rows > 2) {
      const x2 = v128.load32_splat(a2);
      (c20 = f32x4.add(c20, f32x4.mul(x2, b0))), (c21 = f32x4.add(c21, f32x4.mul(x2, b1)));
      a2 += 4;
    }
    if (rows > 3) {
      const x3 = v128.load32_splat(a3);
      (c30 = f32x4.add(c30, f32x4.mul(x3, b0))), (c31 = f32x4.add(c31, f32x4.mul(x3, b1)));
      a3 += 4;
    }
    a0 += 4;
    b += 32;
  }
  v128.store(c, c00), v128.store(c, c01, 16);
  if (rows > 1) v128.store(c + stride, c10), v128.store(c + stride, c11, 16);
  if (rows > 2) v128.store(c + 2 * stride, c20), v128.store(c + 2 * stride, c21, 16);
  if (rows > 3) v128.store(c + 3 * stride, c30), v128.store(c + 3 * stride, c31, 16);
}
