/**
 * Gradients of attention_sequence.ts by q, k and v. Weights are computed anew from the scores and lse.
 *
 * Order of operations (contract), each rounded to f32, for the query row r of a head and a key that it sees:
 *   delta = sum over dims ascending of dout * out;   p = exp(scale * (q · k) - lse);   ds = p * ((dout · v) - delta) * scale
 *   dv = 0; for heads of the group, for rows ascending:  dv = dv + p * dout         dk likewise, + ds * q
 *   dq = 0; for keys ascending:                          dq = dq + ds * k           products q · k, dout · v: dims ascending
 * Keys past the row take part in the tiles with p = ds = 0, which changes no bit of finite sums.
 */
import { SIMD } from '../lanes';
import { exp, storeExp } from '../math';
import { entry, get, mul, put, sub } from '../vector';
import { storeTransposed } from '../weights/transpose';
import { packAcross, packAlong } from './slivers';
import { multiplyFour } from './tile';
import { EIGHT, FOUR, PANEL_ROW, at, packPanelsAcross, packPanelsAlong, padded, spanFirst, storeTurned } from './sequence';

/** Keys whose weights are kept at a time: eight panels of all rows, 128 KiB of p and ds for 256 rows. */
const KEYS: i32 = 64;

/** The operands of one span and head; lies at the start of the scratch memory, followed by what it names. Packed as sequence.ts says. */
@unmanaged
class Backward {
  rows: i32;
  headDim: i32;
  scale: f32;
  /** k and v as panels across, k as panels along. */
  k: usize;
  v: usize;
  kAlong: usize;
  /** q and dout as slivers across and along. */
  q: usize;
  dout: usize;
  qAlong: usize;
  doutAlong: usize;
  /** Sums: dk and dv as [key / 8][dim][8 keys], dq as [row][dims rounded up to 8]. */
  dk: usize;
  dv: usize;
  dq: usize;
  /** f32 per row. */
  lse: usize;
  delta: usize;
  /** Panels of KEYS keys, [key / 8][row][8 keys], and a sliver of ds, [key][4 rows]. */
  p: usize;
  ds: usize;
  sliver: usize;
  end: usize;
}

export function gradientScratchBytes(length: i32, headDim: i32): usize {
  return layOut(changetype<Backward>(0), length, headDim, false);
}

/** Places everything for a span of `rows`; returns where it ends. */
function layOut(run: Backward, rows: i32, headDim: i32, write: bool): usize {
  const across4 = (<usize>padded(rows, FOUR) * <usize>headDim) << 2, across8 = (<usize>padded(rows, EIGHT) * <usize>headDim) << 2;
  const along4 = (<usize>padded(headDim, FOUR) * <usize>rows) << 2, along8 = (<usize>padded(headDim, EIGHT) * <usize>rows) << 2;
  const sums = (<usize>padded(rows, EIGHT) * <usize>padded(headDim, EIGHT)) << 2, perRow = <usize>padded(rows, FOUR) << 2;
  const weights = panelBytes(rows) * (KEYS / EIGHT);
  const k = changetype<usize>(run) + offsetof<Backward>(), q = k + 2 * across8 + along8, qAlong = q + 2 * across4, dk = qAlong + 2 * along4;
  const lse = dk + 3 * sums, p = lse + 2 * perRow, sliver = p + 2 * weights;
  if (write) {
    run.k = k, run.v = k + across8, run.kAlong = k + 2 * across8;
    run.q = q, run.dout = q + across4, run.qAlong = qAlong, run.doutAlong = qAlong + along4;
    run.dk = dk, run.dv = dk + sums, run.dq = dk + 2 * sums;
    run.lse = lse, run.delta = lse + perRow, run.p = p, run.ds = p + weights, run.sliver = sliver;
  }
  return sliver + (<usize>KEYS << 4);
}

/** Bytes of one panel of p or ds. */
// @ts-ignore: decorator
@inline function panelBytes(rows: i32): usize { return <usize>padded(rows, FOUR) * PANEL_ROW; }

export function attention_sequence_f32_grad(dq: usize, dk: usize, dv: usize, dout: usize, out: usize, lse: usize, q: usize, k: usize, v: usize, spans: usize, scratch: usize, heads: i32, kvHeads: i32, headDim: i32, scale: f32, dqStride: i32, dkStride: i32, dvStride: i32, doutStride: i32, outStride: i32, qStride: i32, kStride: i32, vStride: i32, first: i32, end: i32): void {
  const group = heads / kvHeads, run = changetype<Backward>(scratch);
  for (let item = first; item < end; ++item) {
    const kvHead = item % kvHeads, kvColumn = kvHead * headDim, row = spanFirst(spans, item / kvHeads);
    begin(run, spanFirst(spans, item / kvHeads + 1) - row, headDim, scale);
    packKeys(run, at(k, row, kStride, kvColumn), at(v, row, vStride, kvColumn), <usize>kStride << 2, <usize>vStride << 2);
    for (let head = kvHead * group; head < (kvHead + 1) * group; ++head) {
      const column = head * headDim, gradient = at(dout, row, doutStride, column);
      packQueries(run, at(q, row, qStride, column), gradient, <usize>qStride << 2, <usize>doutStride << 2);
      packRows(run, at(lse, row, heads, head), gradient, at(out, row, outStride, column), heads, <usize>doutStride << 2, <usize>outStride << 2);
      for (let key = 0; key < run.rows; key += KEYS) addKeys(run, key, head == kvHead * group);
      storeRows(run, at(dq, row, dqStride, column), <usize>dqStride << 2);
    }
    storeKeys(run, run.dk, at(dk, row, dkStride, kvColumn), <usize>dkStride << 2);
    storeKeys(run, run.dv, at(dv, row, dvStride, kvColumn), <usize>dvStride << 2);
  }
}

function begin(run: Backward, rows: i32, headDim: i32, scale: f32): void {
  run.rows = rows;
  run.headDim = headDim;
  run.scale = scale;
  layOut(run, rows, headDim, true);
}

function packKeys(run: Backward, k: usize, v: usize, kBytes: usize, vBytes: usize): void {
  packPanelsAcross(run.k, k, run.rows, run.headDim, kBytes);
  packPanelsAcross(run.v, v, run.rows, run.headDim, vBytes);
  packPanelsAlong(run.kAlong, k, run.rows, run.headDim, kBytes);
}

function packQueries(run: Backward, q: usize, dout: usize, qBytes: usize, doutBytes: usize): void {
  packAcross(FOUR, run.q, q, run.rows, run.headDim, qBytes);
  packAcross(FOUR, run.dout, dout, run.rows, run.headDim, doutBytes);
  packAlong(FOUR, run.qAlong, q, run.headDim, run.rows, qBytes);
  packAlong(FOUR, run.doutAlong, dout, run.headDim, run.rows, doutBytes);
}

function packRows(run: Backward, lse: usize, dout: usize, out: usize, heads: i32, doutBytes: usize, outBytes: usize): void {
  for (let row: usize = 0; row < <usize>run.rows; row++, lse += <usize>heads << 2, dout += doutBytes, out += outBytes) {
    let delta: f32 = 0;
    for (let dim: usize = 0; dim < <usize>run.headDim; dim++) delta += load<f32>(dout + (dim << 2)) * load<f32>(out + (dim << 2));
    store<f32>(run.lse + (row << 2), load<f32>(lse));
    store<f32>(run.delta + (row << 2), delta);
  }
}

/** What the keys from `key` on add. `fresh`: to nothing yet. */
function addKeys(run: Backward, key: i32, fresh: bool): void {
  const keys = min(KEYS, run.rows - key);
  for (let offset = 0; offset < keys; offset += EIGHT) {
    const panel = panelBytes(run.rows) * <usize>(offset / EIGHT) + <usize>offset * PANEL_ROW;
    weigh(run, key + offset, run.p + panel, run.ds + panel);
    addColumns(run, run.dv, run.doutAlong, run.p + panel, key + offset, fresh);
    addColumns(run, run.dk, run.qAlong, run.ds + panel, key + offset, fresh);
  }
  for (let row = key; row < run.rows; row += FOUR) addRow(run, row, key, min(keys, row - key - ((row - key) & 7) + EIGHT));
}

/** p and ds of eight keys for the rows from the first of them on. */
function weigh(run: Backward, key: i32, p: usize, ds: usize): void {
  const depth = run.headDim, panel = (<usize>key * <usize>depth) << 2;
  for (let row = key; row < run.rows; row += FOUR) {
    const sliver = (<usize>row * <usize>depth) << 2;
    multiplyFour(p, run.q + sliver, run.k + panel, depth, PANEL_ROW, true);
    multiplyFour(ds, run.dout + sliver, run.v + panel, depth, PANEL_ROW, true);
    for (let i = row; i < row + FOUR; i += 2, p += 2 * PANEL_ROW, ds += 2 * PANEL_ROW) {
      if (SIMD) slopesOfTwo(run, i, p, ds);
      else for (let lane: usize = 0; lane < 2 * PANEL_ROW; lane += 4) slopeOfOne(run, i + <i32>(lane / PANEL_ROW), p + lane, ds + lane);
      hide(p, ds, i < run.rows ? i - key + 1 : 0);
      hide(p + PANEL_ROW, ds + PANEL_ROW, i + 1 < run.rows ? i - key + 2 : 0);
    }
  }
}

/** From q · k and dout · v of two rows. */
// @ts-ignore: decorator
@inline
function slopesOfTwo(run: Backward, row: i32, p: usize, ds: usize): void {
  storeExp(p, exponent<v128>(run, row, p), exponent<v128>(run, row, p + 16), exponent<v128>(run, row + 1, p + 32), exponent<v128>(run, row + 1, p + 48));
  slope<v128>(run, row, p, ds), slope<v128>(run, row, p + 16, ds + 16), slope<v128>(run, row + 1, p + 32, ds + 32), slope<v128>(run, row + 1, p + 48, ds + 48);
}

function slopeOfOne(run: Backward, row: i32, p: usize, ds: usize): void {
  store<f32>(p, exp<f32>(exponent<f32>(run, row, p)));
  slope<f32>(run, row, p, ds);
}

// @ts-ignore: decorator
@inline
function scaleOf<T>(run: Backward): T { return entry<T>(changetype<usize>(run) + offsetof<Backward>('scale'), 0); }

// @ts-ignore: decorator
@inline
function exponent<T>(run: Backward, row: usize, p: usize): T {
  return sub<T>(mul<T>(get<T>(p), scaleOf<T>(run)), entry<T>(run.lse, row));
}

// @ts-ignore: decorator
@inline
function slope<T>(run: Backward, row: usize, p: usize, ds: usize): void {
  put<T>(ds, mul<T>(mul<T>(get<T>(p), sub<T>(get<T>(ds), entry<T>(run.delta, row))), scaleOf<T>(run)));
}

/** 0 but for the first `seen` of eight keys. */
function hide(p: usize, ds: usize, seen: i32): void {
  for (let key = seen; key < EIGHT; key++) {
    store<f32>(p + (<usize>key << 2), 0);
    store<f32>(ds + (<usize>key << 2), 0);
  }
}

/** To the sums of eight keys: weights of the rows from `key` on, times those rows of dout or q. */
function addColumns(run: Backward, sums: usize, along: usize, weights: usize, key: i32, fresh: bool): void {
  sums += (<usize>key * <usize>padded(run.headDim, FOUR)) << 2;
  along += <usize>key << 4;
  for (let dim = 0; dim < run.headDim; dim += FOUR, sums += 4 * PANEL_ROW, along += <usize>run.rows << 4) {
    multiplyFour(sums, along, weights, run.rows - key, PANEL_ROW, fresh);
  }
}

/** To dq of four rows: ds of `keys` keys from `key` on, times those keys. */
function addRow(run: Backward, row: i32, key: i32, keys: i32): void {
  const width = padded(run.headDim, EIGHT), rowBytes = <usize>width << 2;
  for (let offset = 0; offset < keys; offset += EIGHT) {
    turn(run.sliver + (<usize>offset << 4), run.ds + panelBytes(run.rows) * <usize>(offset / EIGHT) + <usize>(row - key) * PANEL_ROW);
  }
  let dq = run.dq + <usize>row * rowBytes, k = run.kAlong + <usize>key * PANEL_ROW;
  for (let dim = 0; dim < width; dim += EIGHT, dq += PANEL_ROW, k += <usize>run.rows * PANEL_ROW) multiplyFour(dq, run.sliver, k, keys, rowBytes, key == 0);
}

/** sliver[8][4] = x[4][8] turned over. */
function turn(sliver: usize, x: usize): void {
  if (SIMD) {
    storeTransposed(sliver, 16, v128.load(x), v128.load(x, 32), v128.load(x, 64), v128.load(x, 96));
    storeTransposed(sliver + 64, 16, v128.load(x, 16), v128.load(x, 48), v128.load(x, 80), v128.load(x, 112));
  } else {
    for (let key: usize = 0; key < 8; key++) {
      for (let row: usize = 0; row < 4; row++) store<f32>(sliver + (key << 4) + (row << 2), load<f32>(x + row * PANEL_ROW + (key << 2)));
    }
  }
}

function storeRows(run: Backward, dq: usize, dqBytes: usize): void {
  const rowBytes = <usize>padded(run.headDim, EIGHT) << 2;
  for (let row: usize = 0; row < <usize>run.rows; row++) memory.copy(dq + row * dqBytes, run.dq + row * rowBytes, <usize>run.headDim << 2);
}

function storeKeys(run: Backward, sums: usize, to: usize, toBytes: usize): void {
  for (let key = 0; key < run.rows; key += EIGHT) {
    for (let dim = 0; dim < run.headDim; dim += FOUR, sums += 4 * PANEL_ROW) {
      storeTurned(to + <usize>key * toBytes + (<usize>dim << 2), sums, min(EIGHT, run.rows - key), min(FOUR, run.headDim - dim), toBytes);
    }
  }
}
