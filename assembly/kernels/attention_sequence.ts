/**
 * Causal grouped-query attention over whole sequences that lie side by side, for training.
 *
 * A work item is a span of rows and a KV head. Rows of q and out hold heads x headDim elements, those of k and v kvHeads x
 * headDim, strides in elements; a row sees those of its span up to itself (see sequence.ts). lse[row][head] is the log-sum-exp
 * of its scores.
 *
 * Order of operations for one row and head (contract), each rounded to f32:
 *   score = scale * (sum over dims ascending of q * k);  weight = exp(score - largest score);  total = sum of weights, keys ascending
 *   out = (sum over keys ascending of weight * v) / total;  lse = largest + log(total) in f64, rounded once
 * Keys past the row take part in the tiles with weight 0, which changes no bit of finite sums.
 */
import { SIMD } from '../lanes';
import { exp, log_f64, storeExp } from '../math';
import { div, get, greater, put } from '../vector';
import { packAcross, packAlong } from './slivers';
import { multiplyFour } from './tile';
import { EIGHT, FOUR, PANEL_ROW, at, packPanelsAcross, padded, spanFirst, storeTurned } from './sequence';
import { gradientScratchBytes } from './attention_sequence_grad';

/** Bytes of scratch for one thread, forward or gradient; `length`: rows of the longest span. */
export function attention_sequence_scratch_bytes(length: i32, headDim: i32): usize {
  return max(offsetof<Forward>() + scoresOffset(length, headDim) + <usize>padded(length, FOUR) * PANEL_ROW, gradientScratchBytes(length, headDim));
}

/** The operands of one span; lies at the start of the scratch memory, followed by what it names. */
@unmanaged
class Forward {
  rows: i32;
  headDim: i32;
  scale: f32;
  /** Slivers across of k, along of v; a panel of 8 queries; scores, then weights, [key][8 queries]; a tile, [4 dims][8 queries]; totals. */
  k: usize;
  v: usize;
  q: usize;
  scores: usize;
  tile: usize;
  tops: usize;
  totals: usize;
}

/** Bytes from the end of Forward to the scores. */
// @ts-ignore: decorator
@inline
function scoresOffset(rows: i32, headDim: i32): usize {
  return ((<usize>padded(rows, FOUR) * <usize>headDim + <usize>padded(headDim, FOUR) * <usize>rows) << 2) + <usize>headDim * PANEL_ROW + 192;
}

export function attention_sequence_f32(out: usize, lse: usize, q: usize, k: usize, v: usize, spans: usize, scratch: usize, heads: i32, kvHeads: i32, headDim: i32, scale: f32, outStride: i32, qStride: i32, kStride: i32, vStride: i32, first: i32, end: i32): void {
  const group = heads / kvHeads, run = changetype<Forward>(scratch);
  for (let item = first; item < end; ++item) {
    const kvHead = item % kvHeads, row = spanFirst(spans, item / kvHeads);
    begin(run, spanFirst(spans, item / kvHeads + 1) - row, headDim, scale);
    packAcross(FOUR, run.k, at(k, row, kStride, kvHead * headDim), run.rows, headDim, <usize>kStride << 2);
    packAlong(FOUR, run.v, at(v, row, vStride, kvHead * headDim), headDim, run.rows, <usize>vStride << 2);
    for (let head = kvHead * group; head < (kvHead + 1) * group; ++head) {
      attend(run, at(out, row, outStride, head * headDim), at(lse, row, heads, head), at(q, row, qStride, head * headDim), outStride, heads, qStride);
    }
  }
}

function begin(run: Forward, rows: i32, headDim: i32, scale: f32): void {
  run.rows = rows;
  run.headDim = headDim;
  run.scale = scale;
  run.k = changetype<usize>(run) + offsetof<Forward>();
  run.v = run.k + ((<usize>padded(rows, FOUR) * <usize>headDim) << 2);
  run.q = run.v + ((<usize>padded(headDim, FOUR) * <usize>rows) << 2);
  run.tile = run.q + <usize>headDim * PANEL_ROW;
  run.tops = run.tile + 128;
  run.totals = run.tops + PANEL_ROW;
  run.scores = run.totals + PANEL_ROW;
}

/** One head of a span, eight queries at a time. */
function attend(run: Forward, out: usize, lse: usize, q: usize, outStride: i32, lseStride: i32, qStride: i32): void {
  for (let row = 0; row < run.rows; row += EIGHT) {
    const queries = min(EIGHT, run.rows - row), keys = row + queries;
    packPanelsAcross(run.q, at(q, row, qStride, 0), queries, run.headDim, <usize>qStride << 2);
    score(run, keys);
    hideLater(run.scores + <usize>row * PANEL_ROW, queries);
    if (SIMD) weighLanes(run, keys);
    else for (let lane: usize = 0; lane < PANEL_ROW; lane += 4) weighOne(run, keys, lane);
    for (let i = 0; i < queries; i++) store<f32>(at(lse, row + i, lseStride, 0), logSum(run, <usize>i << 2));
    gather(run, at(out, row, outStride, 0), queries, keys, <usize>outStride << 2);
  }
}

function score(run: Forward, keys: i32): void {
  let k = run.k, scores = run.scores;
  for (let key = 0; key < keys; key += FOUR, k += <usize>run.headDim << 4, scores += 4 * PANEL_ROW) multiplyFour(scores, k, run.q, run.headDim, PANEL_ROW, true);
}

/** Key i of the first query's own and later keys is seen by queries i and up. */
function hideLater(scores: usize, queries: i32): void {
  for (let key = 1; key < queries; key++) {
    for (let query = 0; query < key; query++) store<f32>(scores + <usize>key * PANEL_ROW + (<usize>query << 2), -Infinity);
  }
}

/** Scores to weights, and their total: all queries at once, two keys at a time (storeExp). */
function weighLanes(run: Forward, keys: i32): void {
  const scale = f32x4.splat(run.scale), end = run.scores + <usize>keys * PANEL_ROW;
  let top = f32x4.splat(-Infinity), top4 = top, total = f32x4.splat(0), total4 = total, key = run.scores;
  for (; key < end; key += PANEL_ROW) {
    const scaled = f32x4.mul(v128.load(key), scale), scaled4 = f32x4.mul(v128.load(key, 16), scale);
    top = greater<v128>(top, scaled), top4 = greater<v128>(top4, scaled4);
    v128.store(key, scaled), v128.store(key, scaled4, 16);
  }
  for (key = run.scores; key + PANEL_ROW < end; key += 2 * PANEL_ROW) {
    storeExp(key, f32x4.sub(v128.load(key), top), f32x4.sub(v128.load(key, 16), top4), f32x4.sub(v128.load(key, 32), top), f32x4.sub(v128.load(key, 48), top4));
    total = f32x4.add(f32x4.add(total, v128.load(key)), v128.load(key, 32)), total4 = f32x4.add(f32x4.add(total4, v128.load(key, 16)), v128.load(key, 48));
  }
  if (key < end) {
    const weight = exp<v128>(f32x4.sub(v128.load(key), top)), weight4 = exp<v128>(f32x4.sub(v128.load(key, 16), top4));
    v128.store(key, weight), v128.store(key, weight4, 16);
    total = f32x4.add(total, weight), total4 = f32x4.add(total4, weight4);
  }
  v128.store(run.tops, top), v128.store(run.tops, top4, 16);
  v128.store(run.totals, total), v128.store(run.totals, total4, 16);
}

/** The same for one query. */
function weighOne(run: Forward, keys: i32, lane: usize): void {
  const from = run.scores + lane, end = from + <usize>keys * PANEL_ROW;
  let top: f32 = -Infinity, total: f32 = 0;
  for (let key = from; key < end; key += PANEL_ROW) {
    const scaled = load<f32>(key) * run.scale;
    top = greater<f32>(top, scaled);
    store<f32>(key, scaled);
  }
  for (let key = from; key < end; key += PANEL_ROW) {
    const weight = exp<f32>(load<f32>(key) - top);
    total += weight;
    store<f32>(key, weight);
  }
  store<f32>(run.tops + lane, top);
  store<f32>(run.totals + lane, total);
}

function logSum(run: Forward, lane: usize): f32 {
  return <f32>(<f64>load<f32>(run.tops + lane) + log_f64(<f64>load<f32>(run.totals + lane)));
}

/** Weighted sums of values, four dims at a time. */
function gather(run: Forward, out: usize, queries: i32, keys: i32, outBytes: usize): void {
  let v = run.v;
  for (let dim = 0; dim < run.headDim; dim += FOUR, v += <usize>run.rows << 4) {
    multiplyFour(run.tile, v, run.scores, keys, PANEL_ROW, true);
    if (SIMD) for (let lane: usize = 0; lane < 128; lane += 16) divide<v128>(run.tile + lane, run.totals + (lane & 31));
    else for (let lane: usize = 0; lane < 128; lane += 4) divide<f32>(run.tile + lane, run.totals + (lane & 31));
    storeTurned(out + (<usize>dim << 2), run.tile, queries, min(FOUR, run.headDim - dim), outBytes);
  }
}

// @ts-ignore: decorator
@inline
function divide<T>(sums: usize, totals: usize): void {
  put<T>(sums, div<T>(get<T>(sums), get<T>(totals)));
}
