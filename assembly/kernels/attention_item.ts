/**
 * What attention keeps while it walks one work item: a KV head and up to TOKENS tokens. Its rows are the query heads of that
 * KV head, token by token, in quads of 4, so that the softmax works on 4 rows in lanes.
 */
import { SIMD } from '../lanes';
import { exp2, storeExp2 } from '../math';
import { add, get, greater, mul, put, splat, sub } from '../vector';
import { storeTransposed } from '../weights/transpose';
import { BLOCK, COLUMNS, SCALE_DIMS, paddedDim } from './kv';

/** Tokens per work item: with 4 query heads per KV head of 64 dims, all that is used again and again stays within 32 KiB. */
export const TOKENS: i32 = 8;
/** Rows that are multiplied at once. */
export const QUAD: i32 = 4;
/** Bytes of one number for each row of a quad. */
export const LANES: usize = 16;

/** Lies at the start of the scratch memory, followed by two tiles and the quads. */
@unmanaged
export class Item {
  /** How keys and values are kept (kv.ts). */
  cache: i32;
  /** Of the scores, over ln 2. */
  scale: f32;
  headDim: i32;
  /** Query heads per KV head. */
  group: i32;
  rows: i32;
  /** Positions of the first and the last token. */
  start: i32;
  last: i32;
  /** Positions that a row sees, its own included; 0: all. */
  window: i32;
  /** Scores of a quad, [4 rows][8 keys]; its weights as codes, i16 [BLOCK/2][4 rows][2 keys], and what one step is worth [4 rows] (integers only). */
  scores: usize;
  codes: usize;
  step: usize;
  quads: usize;
}

// What a quad keeps, four lanes each: largest score so far, sum of weights, the block's shrink, keys that each row sees of
// the block (i32), weights [BLOCK][4], queries [headDim][4], outputs [headDim/8 rounded up][4][8].
// Over a cache of codes the queries are codes, i16 [headDim/2 rounded up][4][2], and steps [headDim/32 rounded up][4] follow them: what
// one is worth, for each run of dims.
const MAXIMUM: usize = 0, TOTAL: usize = LANES;
export const SHRINK: usize = 2 * LANES, SEEN: usize = 3 * LANES, WEIGHTS: usize = 4 * LANES;
export const QUERIES: usize = WEIGHTS + <usize>BLOCK * LANES;
/** What a row has seen before it sees anything: finite, so that blocks of which it sees nothing change nothing. */
const LOWEST: f32 = -f32.MAX_VALUE;
const SCORE_TILE: usize = <usize>COLUMNS * LANES;
const CODE_TILE: usize = <usize>(BLOCK / 2) * LANES;

// @ts-ignore: decorator
@inline
export function stepsOf(quad: usize, headDim: i32, dim: i32): usize {
  return quad + QUERIES + <usize>(headDim + dim / SCALE_DIMS) * LANES;
}

// @ts-ignore: decorator
@inline
export function outputs(headDim: i32): usize {
  return QUERIES + <usize>(headDim + (headDim + SCALE_DIMS - 1) / SCALE_DIMS) * LANES;
}

// @ts-ignore: decorator
@inline
function quadBytes(headDim: i32): usize {
  return outputs(headDim) + <usize>paddedDim(headDim) * LANES;
}

/** Scratch for one item. */
export function itemBytes(headDim: i32, group: i32): usize {
  return offsetof<Item>() + SCORE_TILE + CODE_TILE + LANES + <usize>((TOKENS * group + QUAD - 1) / QUAD) * quadBytes(headDim);
}

/** The item at the start of the scratch memory, told what all items of a call share. */
export function itemAt(scratch: usize, headDim: i32, group: i32, scale: f32, cache: i32): Item {
  const item = changetype<Item>(scratch);
  item.cache = cache;
  item.scale = scale * <f32>1.4426950408889634;
  item.headDim = headDim;
  item.group = group;
  item.scores = scratch + offsetof<Item>();
  item.codes = item.scores + SCORE_TILE;
  item.step = item.codes + CODE_TILE;
  item.quads = item.step + LANES;
  return item;
}

// @ts-ignore: decorator
@inline
export function quadOf(item: Item, row: i32): usize {
  return item.quads + <usize>(row / QUAD) * quadBytes(item.headDim);
}

// @ts-ignore: decorator
@inline
function laneOf(item: Item, row: i32): usize {
  return quadOf(item, row) + (<usize>(row % QUAD) << 2);
}

/** Bytes from the item's first query or output to that of a row. */
// @ts-ignore: decorator
@inline
function rowOffset(item: Item, row: i32, stride: i32): usize {
  return (<usize>(row / item.group) * <usize>stride + <usize>((row % item.group) * item.headDim)) << 2;
}

/** A quad that has seen nothing yet, its queries as f32. */
export function startQuad(item: Item, row: i32, q: usize, qStride: i32): void {
  const quad = quadOf(item, row);
  for (let i = 0; i < QUAD; ++i) {
    // A lane without a row scores 0, always: its weights are 1 and nothing shrinks.
    store<f32>(quad + MAXIMUM + (<usize>i << 2), row + i < item.rows ? LOWEST : 0);
    store<f32>(quad + TOTAL + (<usize>i << 2), 0);
  }
  takeQueries(item, row, quad + QUERIES, q, qStride);
  memory.fill(quad + outputs(item.headDim), 0, <usize>paddedDim(item.headDim) * LANES);
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

/** The outputs over the sums of weights. */
export function finishRows(item: Item, out: usize, outStride: i32): void {
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

/** The first position that the row at `position` sees. */
// @ts-ignore: decorator
@inline
export function firstSeen(item: Item, position: i32): i32 {
  return item.window ? max(0, position + 1 - item.window) : 0;
}

/** Notes how many keys of the block at position `at` each row of a quad sees, and makes the scores of the others -Infinity. */
export function hideOthers(item: Item, row: i32, at: i32): void {
  for (let i = 0; i < QUAD; ++i) {
    const lane = laneOf(item, row + i), position = item.start + (row + i) / item.group;
    const seen = max(0, min(BLOCK, position + 1 - at)), before = min(BLOCK, firstSeen(item, position) - at);
    store<i32>(lane + SEEN, seen);
    for (let key = 0; key < before; ++key) store<f32>(lane + WEIGHTS + <usize>key * LANES, -Infinity);
    for (let key = seen; key < BLOCK; ++key) store<f32>(lane + WEIGHTS + <usize>key * LANES, -Infinity);
  }
}

/** Turns a quad's scores of the block into weights and updates its maximum, total and shrink. */
export function weighQuad(item: Item, quad: usize): void {
  if (SIMD) weigh<v128>(quad, splat<v128>(item.scale));
  else for (let lane: usize = 0; lane < LANES; lane += 4) weigh<f32>(quad + lane, item.scale);
}

// @ts-ignore: decorator
@inline
function weigh<T>(lane: usize, scale: T): void {
  const weights = lane + WEIGHTS, end = weights + <usize>BLOCK * LANES;
  const old = get<T>(lane + MAXIMUM);
  let m0 = old, m1 = old, m2 = old, m3 = old;
  for (let at = weights; at < end; at += 4 * LANES) {
    m0 = greater<T>(m0, get<T>(at)), m1 = greater<T>(m1, get<T>(at + LANES));
    m2 = greater<T>(m2, get<T>(at + 2 * LANES)), m3 = greater<T>(m3, get<T>(at + 3 * LANES));
  }
  const maximum = greater<T>(greater<T>(m0, m2), greater<T>(m1, m3)), shrink = exp2<T>(mul<T>(sub<T>(old, maximum), scale));
  put<T>(lane + MAXIMUM, maximum);
  put<T>(lane + SHRINK, shrink);
  let total = splat<T>(0);
  for (let at = weights; at < end; at += 4 * LANES) {
    powers<T>(at, maximum, scale);
    total = add<T>(add<T>(add<T>(add<T>(total, get<T>(at)), get<T>(at + LANES)), get<T>(at + 2 * LANES)), get<T>(at + 3 * LANES));
  }
  put<T>(lane + TOTAL, add<T>(mul<T>(get<T>(lane + TOTAL), shrink), total));
}

/** The weights of four keys, in place of their scores. */
// @ts-ignore: decorator
@inline
function powers<T>(at: usize, maximum: T, scale: T): void {
  const a = mul<T>(sub<T>(get<T>(at), maximum), scale), b = mul<T>(sub<T>(get<T>(at + LANES), maximum), scale);
  const c = mul<T>(sub<T>(get<T>(at + 2 * LANES), maximum), scale), d = mul<T>(sub<T>(get<T>(at + 3 * LANES), maximum), scale);
  if (isVector<T>()) storeExp2(at, a, b, c, d);
  else {
    put<T>(at, exp2<T>(a)), put<T>(at + LANES, exp2<T>(b));
    put<T>(at + 2 * LANES, exp2<T>(c)), put<T>(at + 3 * LANES, exp2<T>(d));
  }
}

/** y[8][4] = x[4][8] turned over. */
export function transpose(y: usize, x: usize): void {
  if (SIMD) {
    storeTransposed(y, LANES, v128.load(x), v128.load(x, 32), v128.load(x, 64), v128.load(x, 96));
    storeTransposed(y + 64, LANES, v128.load(x, 16), v128.load(x, 48), v128.load(x, 80), v128.load(x, 112));
  } else {
    for (let column: usize = 0; column < <usize>COLUMNS; ++column) {
      for (let row: usize = 0; row < <usize>QUAD; ++row) store<f32>(y + column * LANES + (row << 2), load<f32>(x + ((row * COLUMNS + column) << 2)));
    }
  }
}
