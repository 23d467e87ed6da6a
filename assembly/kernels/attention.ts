import { SIMD } from '../lanes';
import { exp2 } from '../math';
import { add, get, greater, mul, put, splat, sub } from '../vector';
import { storeTransposed } from '../weights/transpose';
import { BLOCK, blockBytes, COLUMNS, headBytes, keyTile, paddedDim, SCALE_DIMS, scaleBytes, scaleRow, valueTile } from './kv';

/*
 * Causal grouped-query attention with an online softmax (Milakov and Gimelshein 2018) over the blocks of the KV cache.
 *
 * A work item is one KV head and up to TOKENS tokens; its rows are the query heads of that KV head, token by token, in
 * quads of 4. Per block: scores = queries x key tiles, softmax of each row, outputs += weights x value tiles. Both products
 * are `multiply`, 4 rows by 8 columns in registers; queries and weights lie as [dim or key][4 rows], so that one quad's
 * operands are contiguous, and the softmax works on 4 rows in lanes.
 *
 * Order of operations for one row, whatever rows stand beside it (so that bits do not depend on how a prompt is split):
 * a score sums over the dims in order; blocks lie at absolute positions; within a block the maximum is taken first, then
 * the weights 2^(s (score - maximum)), s = scale / ln 2, are summed in order of the keys and added to total * shrink, where
 * shrink = 2^(s (old maximum - maximum)); the output is multiplied by shrink and adds weight * value in order of the keys.
 * The scale is positive.
 */

/** Tokens per work item: with 4 query heads per KV head of 64 dims, all that is used again and again stays within 32 KiB. */
const TOKENS: i32 = 8;
/** Rows that are multiplied at once. */
const QUAD: i32 = 4;
/** Bytes of one number for each row of a quad. */
const LANES: usize = 16;

/** Work items of m tokens. */
export function attention_items(m: i32, kvHeads: i32): i32 {
  return kvHeads * ((m + TOKENS - 1) / TOKENS);
}

/** Scratch that one thread needs; it does not grow with the context. */
export function attention_scratch_bytes(headDim: i32, headsPerGroup: i32): usize {
  const quads = <usize>((TOKENS * headsPerGroup + QUAD - 1) / QUAD);
  return offsetof<Item>() + tileBytes(headDim) + SCORE_TILE + quads * quadBytes(headDim);
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

/** What one work item is about; lies at the start of the scratch memory, followed by two tiles and the quads. */
@unmanaged
class Item {
  quantised: bool;
  /** Of the scores, over ln 2. */
  scale: f32;
  headDim: i32;
  /** Query heads per KV head. */
  group: i32;
  rows: i32;
  /** Positions of the first and the last token. */
  start: i32;
  last: i32;
  /** A tile of keys or values as f32 (q8_0 only), and one of scores, [4 rows][8 keys]. */
  tile: usize;
  scores: usize;
  quads: usize;
}

// What a quad keeps, four lanes each: largest score so far, sum of weights, the block's shrink, keys that each row sees of
// the block (i32), weights [BLOCK][4], queries [headDim][4], outputs [headDim/8 rounded up][4][8].
const MAXIMUM: usize = 0, TOTAL: usize = LANES, SHRINK: usize = 2 * LANES, SEEN: usize = 3 * LANES, WEIGHTS: usize = 4 * LANES;
const QUERIES: usize = WEIGHTS + <usize>BLOCK * LANES;
const SCORE_TILE: usize = <usize>COLUMNS * LANES;

// @ts-ignore: decorator
@inline
function outputs(headDim: i32): usize {
  return QUERIES + <usize>headDim * LANES;
}

// @ts-ignore: decorator
@inline
function quadBytes(headDim: i32): usize {
  return outputs(headDim) + <usize>paddedDim(headDim) * LANES;
}

// @ts-ignore: decorator
@inline
function tileBytes(headDim: i32): usize {
  return <usize>(max(headDim, BLOCK) * COLUMNS) << 2;
}

function attendItems(out: usize, q: usize, kv: usize, scratch: usize, m: i32, position: i32, heads: i32, kvHeads: i32, headDim: i32, context: i32, scale: f32, outStride: i32, qStride: i32, first: i32, end: i32, quantised: bool): void {
  const item = changetype<Item>(scratch);
  item.quantised = quantised;
  item.scale = scale * <f32>1.4426950408889634;
  item.headDim = headDim;
  item.group = heads / kvHeads;
  item.tile = scratch + offsetof<Item>();
  item.scores = item.tile + tileBytes(headDim);
  item.quads = item.scores + SCORE_TILE;
  for (let index = first; index < end; ++index) {
    const kvHead = index % kvHeads, token = (index / kvHeads) * TOKENS, tokens = min(TOKENS, m - token);
    const column = <usize>(kvHead * item.group * headDim);
    item.rows = tokens * item.group;
    item.start = position + token;
    item.last = item.start + tokens - 1;
    startRows(item, q + ((<usize>token * <usize>qStride + column) << 2), qStride);
    attend(item, kv + <usize>kvHead * headBytes(context, headDim, quantised));
    finishRows(item, out + ((<usize>token * <usize>outStride + column) << 2), outStride);
  }
}

function startRows(item: Item, q: usize, qStride: i32): void {
  memory.fill(item.scores, 0, SCORE_TILE);
  for (let row = 0; row < item.rows; row += QUAD) {
    const quad = quadOf(item, row);
    for (let i = 0; i < QUAD; ++i) {
      // A lane without a row scores 0, always: its weights are 1 and nothing shrinks.
      store<f32>(quad + MAXIMUM + (<usize>i << 2), row + i < item.rows ? -Infinity : 0);
      store<f32>(quad + TOTAL + (<usize>i << 2), 0);
    }
    takeQueries(item, row, quad + QUERIES, q, qStride);
    memory.fill(quad + outputs(item.headDim), 0, <usize>paddedDim(item.headDim) * LANES);
  }
}

/** Four rows of queries as [dim][4 rows]; the last row stands in for those that are missing. */
function takeQueries(item: Item, row: i32, to: usize, q: usize, qStride: i32): void {
  const last = item.rows - 1, headDim = <usize>item.headDim;
  const a = q + rowOffset(item, row, qStride), b = q + rowOffset(item, min(row + 1, last), qStride);
  const c = q + rowOffset(item, min(row + 2, last), qStride), d = q + rowOffset(item, min(row + 3, last), qStride);
  let dim: usize = 0;
  if (SIMD) {
    for (; dim + 4 <= headDim; dim += 4) {
      const at = dim << 2;
      storeTransposed(to + dim * LANES, LANES, v128.load(a + at), v128.load(b + at), v128.load(c + at), v128.load(d + at));
    }
  }
  for (; dim < headDim; ++dim) {
    const at = dim << 2, lanes = to + dim * LANES;
    store<f32>(lanes, load<f32>(a + at)), store<f32>(lanes, load<f32>(b + at), 4), store<f32>(lanes, load<f32>(c + at), 8), store<f32>(lanes, load<f32>(d + at), 12);
  }
}

function finishRows(item: Item, out: usize, outStride: i32): void {
  for (let row = 0; row < item.rows; ++row) {
    let to = out + rowOffset(item, row, outStride), dims = item.headDim;
    let from = quadOf(item, row) + outputs(dims) + (<usize>(row % QUAD * COLUMNS) << 2);
    const total = load<f32>(laneOf(item, row) + TOTAL);
    for (; dims > 0; dims -= COLUMNS) {
      if (SIMD && dims >= COLUMNS) {
        v128.store(to, f32x4.div(v128.load(from), f32x4.splat(total)));
        v128.store(to, f32x4.div(v128.load(from, 16), f32x4.splat(total)), 16);
      } else {
        for (let at: usize = 0; at < <usize>min(dims, COLUMNS) << 2; at += 4) store<f32>(to + at, load<f32>(from + at) / total);
      }
      to += COLUMNS << 2;
      from += <usize>(QUAD * COLUMNS) << 2;
    }
  }
}

/** Bytes from the item's first query or output to that of a row. */
// @ts-ignore: decorator
@inline
function rowOffset(item: Item, row: i32, stride: i32): usize {
  return (<usize>(row / item.group) * <usize>stride + <usize>((row % item.group) * item.headDim)) << 2;
}

// @ts-ignore: decorator
@inline
function quadOf(item: Item, row: i32): usize {
  return item.quads + <usize>(row / QUAD) * quadBytes(item.headDim);
}

// @ts-ignore: decorator
@inline
function laneOf(item: Item, row: i32): usize {
  return quadOf(item, row) + (<usize>(row % QUAD) << 2);
}

/** Walks the blocks up to the item's last token. */
function attend(item: Item, block: usize): void {
  for (let at = 0; at <= item.last; at += BLOCK) {
    const keys = min(BLOCK, item.last + 1 - at);
    const whole = at + BLOCK <= item.start + 1;
    scoreBlock(item, block, keys);
    for (let row = 0; row < item.rows; row += QUAD) {
      if (!whole) hideLater(item, row, at);
      weighQuad(item, quadOf(item, row));
    }
    addValues(item, block, keys, whole);
    block += blockBytes(item.headDim, item.quantised);
  }
}

function scoreBlock(item: Item, block: usize, keys: i32): void {
  const scores = item.scores;
  for (let group = 0; group * COLUMNS < keys; ++group) {
    const tile = keysOf(item, block, group);
    for (let row = 0; row < item.rows; row += QUAD) {
      const quad = quadOf(item, row);
      multiply(min(QUAD, item.rows - row), item.headDim, quad + QUERIES, tile, scores, true);
      transpose(quad + WEIGHTS + <usize>(group * COLUMNS) * LANES, scores);
    }
  }
}

/** Notes how many keys of the block at position `at` each row of a quad sees, and makes the scores of the others -Infinity. */
function hideLater(item: Item, row: i32, at: i32): void {
  for (let i = 0; i < QUAD; ++i) {
    const lane = laneOf(item, row + i);
    const seen = max(0, min(BLOCK, item.start + (row + i) / item.group + 1 - at));
    store<i32>(lane + SEEN, seen);
    for (let key = seen; key < BLOCK; ++key) store<f32>(lane + WEIGHTS + <usize>key * LANES, -Infinity);
  }
}

/** Turns a quad's scores of the block into weights, updates its maximum and total, and rescales its outputs. */
function weighQuad(item: Item, quad: usize): void {
  if (SIMD) weigh<v128>(quad, splat<v128>(item.scale));
  else for (let lane: usize = 0; lane < LANES; lane += 4) weigh<f32>(quad + lane, item.scale);
  if (SIMD && i32x4.all_true(f32x4.eq(v128.load(quad + SHRINK), splat<v128>(1)))) return;
  const output = quad + outputs(item.headDim);
  for (let dim: usize = 0; dim < <usize>item.headDim; dim += COLUMNS) rescale(output + dim * LANES, quad + SHRINK);
}

// @ts-ignore: decorator
@inline
function weigh<T>(lane: usize, scale: T): void {
  const weights = lane + WEIGHTS, end = weights + <usize>BLOCK * LANES;
  const old = get<T>(lane + MAXIMUM);
  let maximum = old, odd = old, total = splat<T>(0);
  for (let at = weights; at < end; at += 2 * LANES) {
    maximum = greater<T>(maximum, get<T>(at));
    odd = greater<T>(odd, get<T>(at + LANES));
  }
  maximum = greater<T>(maximum, odd);
  for (let at = weights; at < end; at += LANES) {
    const weight = exp2<T>(mul<T>(sub<T>(get<T>(at), maximum), scale));
    total = add<T>(total, weight);
    put<T>(at, weight);
  }
  const shrink = exp2<T>(mul<T>(sub<T>(old, maximum), scale));
  put<T>(lane + MAXIMUM, maximum);
  put<T>(lane + SHRINK, shrink);
  put<T>(lane + TOTAL, add<T>(mul<T>(get<T>(lane + TOTAL), shrink), total));
}

/** Multiplies row i of an output tile by the quad's shrink i. */
function rescale(tile: usize, shrink: usize): void {
  for (let i = 0; i < QUAD; ++i, shrink += 4, tile += COLUMNS << 2) {
    if (SIMD) {
      const by = v128.load32_splat(shrink);
      v128.store(tile, f32x4.mul(v128.load(tile), by));
      v128.store(tile, f32x4.mul(v128.load(tile, 16), by), 16);
    } else {
      for (let at: usize = 0; at < <usize>COLUMNS << 2; at += 4) store<f32>(tile + at, load<f32>(tile + at) * load<f32>(shrink));
    }
  }
}

/** `whole`: every row sees the whole block. Otherwise keys beyond those that the first row of a quad sees are added row by row. */
function addValues(item: Item, block: usize, keys: i32, whole: bool): void {
  for (let group = 0; group * COLUMNS < item.headDim; ++group) {
    const tile = valuesOf(item, block, group, keys);
    for (let row = 0; row < item.rows; row += QUAD) {
      const quad = quadOf(item, row), rows = min(QUAD, item.rows - row);
      const output = quad + outputs(item.headDim) + <usize>(group * COLUMNS) * LANES;
      const shared = whole ? BLOCK : load<i32>(quad + SEEN);
      multiply(rows, shared, quad + WEIGHTS, tile, output, false);
      if (!whole) addLater(rows, quad, tile, output, shared);
    }
  }
}

/** To rows 1 … of an output tile: values of the keys after the first `shared` that they see. */
function addLater(rows: i32, quad: usize, tile: usize, output: usize, shared: i32): void {
  const weights = quad + WEIGHTS + <usize>shared * LANES;
  tile += <usize>(shared * COLUMNS) << 2;
  for (let i = 1; i < rows; ++i) {
    const offset = <usize>i << 2, more = load<i32>(quad + SEEN + offset) - shared;
    if (more > 0) multiply(1, more, weights + offset, tile, output + offset * COLUMNS, false);
  }
}

// Tiles

/** Key tile `group` of a block as f32. */
function keysOf(item: Item, block: usize, group: i32): usize {
  const headDim = item.headDim;
  if (!item.quantised) return block + (keyTile(group, headDim) << 2);
  const codes = block + 2 * scaleBytes(headDim) + keyTile(group, headDim);
  for (let dim = 0; dim < headDim; dim += SCALE_DIMS) {
    const from = <usize>(dim * COLUMNS), scales = block + scaleRow(dim) + (<usize>(group * COLUMNS) << 2);
    scaleByColumn(item.tile + (from << 2), codes + from, min(SCALE_DIMS, headDim - dim), scales);
  }
  return item.tile;
}

/** Value tile `group` of a block as f32, its first `keys` rows. */
function valuesOf(item: Item, block: usize, group: i32, keys: i32): usize {
  const keysEnd = <usize>(BLOCK * item.headDim);
  if (!item.quantised) return block + ((keysEnd + valueTile(group)) << 2);
  const scales = scaleBytes(item.headDim);
  scaleByRow(item.tile, block + 2 * scales + keysEnd + valueTile(group), keys, block + scales + scaleRow(group * COLUMNS));
  return item.tile;
}

/** to[i][j] = codes[i][j] * scales[j] for i < rows, j < 8. */
function scaleByColumn(to: usize, codes: usize, rows: i32, scales: usize): void {
  const end = codes + <usize>(rows * COLUMNS);
  if (SIMD) {
    const scales0 = v128.load(scales), scales1 = v128.load(scales, 16);
    for (; codes < end; codes += COLUMNS, to += COLUMNS << 2) scaleCodes(to, codes, scales0, scales1);
  } else {
    for (; codes < end; codes += COLUMNS, to += COLUMNS << 2) {
      for (let j: usize = 0; j < <usize>COLUMNS; ++j) store<f32>(to + (j << 2), <f32>load<i8>(codes + j) * load<f32>(scales + (j << 2)));
    }
  }
}

/** to[i][j] = codes[i][j] * scales[i] for i < rows, j < 8. */
function scaleByRow(to: usize, codes: usize, rows: i32, scales: usize): void {
  for (const end = codes + <usize>(rows * COLUMNS); codes < end; codes += COLUMNS, to += COLUMNS << 2, scales += 4) {
    if (SIMD) {
      const scale = v128.load32_splat(scales);
      scaleCodes(to, codes, scale, scale);
    } else {
      const scale = load<f32>(scales);
      for (let j: usize = 0; j < <usize>COLUMNS; ++j) store<f32>(to + (j << 2), <f32>load<i8>(codes + j) * scale);
    }
  }
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
 * c[r][j] = start + sum over i < depth, in order, of a[i][r] * b[i][j] for r < rows (1 to 4) and j < 8, where start is 0 if
 * `fresh`, else c[r][j]. Rows of a are 4 elements apart, those of b and c 8.
 */
function multiply(rows: i32, depth: i32, a: usize, b: usize, c: usize, fresh: bool): void {
  if (!SIMD) {
    for (let row = 0; row < rows; ++row, a += 4, c += COLUMNS << 2) multiplyRow(depth, a, b, c, fresh);
  } else if (rows == 4) multiplyRows(4, depth, a, b, c, fresh);
  else if (rows == 3) multiplyRows(3, depth, a, b, c, fresh);
  else if (rows == 2) multiplyRows(2, depth, a, b, c, fresh);
  else multiplyRows(1, depth, a, b, c, fresh);
}

function multiplyRow(depth: i32, a: usize, b: usize, c: usize, fresh: bool): void {
  for (let half = 0; half < 2; ++half, b += 16, c += 16) {
    let c0: f32 = fresh ? 0 : load<f32>(c), c1: f32 = fresh ? 0 : load<f32>(c, 4);
    let c2: f32 = fresh ? 0 : load<f32>(c, 8), c3: f32 = fresh ? 0 : load<f32>(c, 12);
    for (let i: usize = 0; i < <usize>depth; ++i) {
      const x = load<f32>(a + i * LANES), row = b + (i << 5);
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
function multiplyRows(rows: i32, depth: i32, a: usize, b: usize, c: usize, fresh: bool): void {
  const zero = f32x4.splat(0);
  let c00 = zero, c01 = zero, c10 = zero, c11 = zero, c20 = zero, c21 = zero, c30 = zero, c31 = zero;
  if (!fresh) {
    (c00 = v128.load(c)), (c01 = v128.load(c, 16));
    if (rows > 1) (c10 = v128.load(c, 32)), (c11 = v128.load(c, 48));
    if (rows > 2) (c20 = v128.load(c, 64)), (c21 = v128.load(c, 80));
    if (rows > 3) (c30 = v128.load(c, 96)), (c31 = v128.load(c, 112));
  }
  for (const end = b + (<usize>depth << 5); b < end; a += LANES, b += 32) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    (c00 = f32x4.add(c00, f32x4.mul(x, b0))), (c01 = f32x4.add(c01, f32x4.mul(x, b1)));
    if (rows > 1) (x = v128.load32_splat(a, 4)), (c10 = f32x4.add(c10, f32x4.mul(x, b0))), (c11 = f32x4.add(c11, f32x4.mul(x, b1)));
    if (rows > 2) (x = v128.load32_splat(a, 8)), (c20 = f32x4.add(c20, f32x4.mul(x, b0))), (c21 = f32x4.add(c21, f32x4.mul(x, b1)));
    if (rows > 3) (x = v128.load32_splat(a, 12)), (c30 = f32x4.add(c30, f32x4.mul(x, b0))), (c31 = f32x4.add(c31, f32x4.mul(x, b1)));
  }
  v128.store(c, c00), v128.store(c, c01, 16);
  if (rows > 1) v128.store(c, c10, 32), v128.store(c, c11, 48);
  if (rows > 2) v128.store(c, c20, 64), v128.store(c, c21, 80);
  if (rows > 3) v128.store(c, c30, 96), v128.store(c, c31, 112);
}

/** y[8][4] = x[4][8] turned over. */
function transpose(y: usize, x: usize): void {
  if (SIMD) {
    storeTransposed(y, LANES, v128.load(x), v128.load(x, 32), v128.load(x, 64), v128.load(x, 96));
    storeTransposed(y + 64, LANES, v128.load(x, 16), v128.load(x, 48), v128.load(x, 80), v128.load(x, 112));
  } else {
    for (let column: usize = 0; column < <usize>COLUMNS; ++column) {
      for (let row: usize = 0; row < <usize>QUAD; ++row) store<f32>(y + column * LANES + (row << 2), load<f32>(x + ((row * COLUMNS + column) << 2)));
    }
  }
}
