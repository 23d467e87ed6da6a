/**
 * The products of attention over a q8_0 cache: integers. Queries and weights become codes of 16 bits, times what one step is
 * worth, so that 32 of them against codes of 8 bits have an exact sum in 32; plain simd128 multiplies words anyway, and next to
 * the cache's own 8 bits the loss is nothing (docs/numerics.md).
 *
 * Order of operations for one row (contract), each rounded to f32:
 *   encode x[n]: a = max |x|, step = a / 32767, code = nearest-even(x * (32767 / a)); all 0 if a < 2^-100, step NaN if a is not finite
 *   a query is encoded in runs of 32 dims;  score = sum over runs ascending of (scale of the key * step) * f32(sum of codes x codes)
 *   weights are encoded per block and run of 32 dims, x = weight * scale of the value;  output = output * shrink + step * f32(sum)
 */
import { SIMD } from '../lanes';
import { abs, add, div, entry, get, mul, put, splat, sub, whereLess } from '../vector';
import { Item, LANES, QUERIES, SHRINK, WEIGHTS, outputs, stepsOf, transpose } from './attention_item';
import { BLOCK, COLUMNS, KEY_SCALES, SCALE_DIMS, VALUE_SCALES, keyGroupBytes, keyPairs } from './kv';

/** 1.5 * 2^23 (added, it leaves the nearest integer in the low bits); the smallest largest value. */
const ROUND: f32 = 12582912, SMALLEST: f32 = 7.888609052210118e-31; // 2^-100
const LARGEST_CODE: f32 = 32767;

// Codes: i16 [pairs][4 rows][2]

/** A quad's queries, f32 [dim][4 rows], become codes where they lie. */
export function encodeQueries(quad: usize, headDim: i32): void {
  for (let from = 0; from < headDim; from += SCALE_DIMS) {
    const x = quad + QUERIES + <usize>from * LANES, codes = quad + QUERIES + <usize>(from >> 1) * LANES;
    encode(codes, stepsOf(quad, headDim, from), x, min(SCALE_DIMS, headDim - from), 0, false);
  }
}

/** `factors` 0: none. `partly`: x may be 0 where the factor is NaN, and stays 0. */
function encode(codes: usize, steps: usize, x: usize, count: i32, factors: usize, partly: bool): void {
  if (SIMD) {
    if (!factors) encodeLanes<v128>(codes, steps, x, count, 0, false);
    else if (partly) encodeLanes<v128>(codes, steps, x, count, factors, true);
    else encodeLanes<v128>(codes, steps, x, count, factors, false);
  } else {
    for (let lane: usize = 0; lane < LANES; lane += 4) encodeLanes<f32>(codes + lane, steps + lane, x + lane, count, factors, partly);
  }
}

/** `partly` is a constant of the caller's. */
// @ts-ignore: decorator
@inline
function encodeLanes<T>(codes: usize, steps: usize, x: usize, count: i32, factors: usize, partly: bool): void {
  let largest = splat<T>(0), at = x, factor = factors;
  for (const end = x + <usize>count * LANES; at < end; at += LANES, factor += 4) largest = larger<T>(largest, abs<T>(product<T>(at, factors, factor, partly)));
  put<T>(steps, add<T>(div<T>(largest, splat<T>(LARGEST_CODE)), sub<T>(largest, largest)));
  const inverse = whereLess<T>(largest, splat<T>(SMALLEST), splat<T>(0), div<T>(splat<T>(LARGEST_CODE), largest)), round = splat<T>(ROUND);
  at = x, factor = factors;
  for (const end = x + <usize>(count & ~1) * LANES; at < end; at += 2 * LANES, factor += 8, codes += LANES) {
    const first = add<T>(mul<T>(product<T>(at, factors, factor, partly), inverse), round);
    putPair<T>(codes, first, add<T>(mul<T>(product<T>(at + LANES, factors, factor + 4, partly), inverse), round));
  }
  if (count & 1) putPair<T>(codes, add<T>(mul<T>(product<T>(at, factors, factor, partly), inverse), round), round);
}

// @ts-ignore: decorator
@inline
function product<T>(x: usize, factors: usize, factor: usize, partly: bool): T {
  const value = get<T>(x);
  if (!factors) return value;
  const times = mul<T>(value, entry<T>(factor, 0));
  return partly ? whereLess<T>(splat<T>(0), value, times, splat<T>(0)) : times;
}

/** The larger of two numbers without sign; NaN is above all. */
// @ts-ignore: decorator
@inline
function larger<T>(a: T, b: T): T {
  if (isVector<T>()) return i32x4.max_u(a, b);
  return reinterpret<f32>(max<u32>(reinterpret<u32>(a), reinterpret<u32>(b)));
}

/** The low halves of both. */
// @ts-ignore: decorator
@inline
function putPair<T>(to: usize, first: T, second: T): void {
  if (isVector<T>()) v128.store(to, v128.shuffle<i16>(first, i32x4.shl(second, 16), 0, 9, 2, 11, 4, 13, 6, 15));
  else store<u32>(to, (reinterpret<u32>(first) & 0xFFFF) | (reinterpret<u32>(second) << 16));
}

// Products

/** The scores of a quad's first `rows` rows with a block's first `keys` keys, rounded up to whole tiles. */
export function scoreQuad(item: Item, quad: usize, rows: i32, block: usize, keys: i32): void {
  const headDim = item.headDim;
  for (let key = 0; key < keys; key += COLUMNS) {
    for (let from = 0; from < headDim; from += SCALE_DIMS) {
      const pairs = keyPairs(min(SCALE_DIMS, headDim - from)), codes = block + KEY_SCALES;
      multiply(rows, pairs, quad + QUERIES + <usize>(from >> 1) * LANES, codes, item.scores, stepsOf(quad, headDim, from), block, from ? ADD : SET);
      block = codes + <usize>pairs * LANES;
    }
    transpose(quad + WEIGHTS + <usize>key * LANES, item.scores);
  }
}

/** Adds a block's first `keys` values, times the quad's weights. `whole`: every row sees them all. */
export function addQuad(item: Item, quad: usize, rows: i32, block: usize, keys: i32, whole: bool): void {
  const headDim = item.headDim, pairs = (keys + 1) >> 1;
  let values = block + <usize>(BLOCK / COLUMNS) * keyGroupBytes(headDim);
  for (let from = 0; from < headDim; from += SCALE_DIMS) {
    encode(item.codes, item.step, quad + WEIGHTS, keys, values, !whole);
    values += VALUE_SCALES;
    for (let dim = from; dim < min(from + SCALE_DIMS, headDim); dim += COLUMNS, values += <usize>(BLOCK * COLUMNS)) {
      multiply(rows, pairs, item.codes, values, quad + outputs(headDim) + <usize>dim * LANES, item.step, quad + SHRINK, SHRUNK);
    }
  }
}

/** What becomes of c[r][j], given steps[r] and the sums of a[pair][r] . b[pair][j]. */
const SET: i32 = 0, ADD: i32 = 1, SHRUNK: i32 = 2;

/**
 * SET, ADD   c[r][j] = (c[r][j] +) (others[j] * steps[r]) * f32(sum)
 * SHRUNK     c[r][j] = c[r][j] * others[r] + steps[r] * f32(sum)
 * for r < rows (1 to 4) and j < 8; a is i16 [pairs][4][2], b i8 [pairs][8][2], c f32 [4][8].
 */
function multiply(rows: i32, pairs: i32, a: usize, b: usize, c: usize, steps: usize, others: usize, kind: i32): void {
  if (!SIMD) {
    for (let row = 0; row < rows; ++row, a += 4, c += COLUMNS << 2, steps += 4) {
      multiplyRow(pairs, a, b, c, load<f32>(steps), kind == SHRUNK ? others + (<usize>row << 2) : others, kind);
    }
  } else if (rows == 4) multiplyRows(4, pairs, a, b, c, steps, others, kind);
  else if (rows == 3) multiplyRows(3, pairs, a, b, c, steps, others, kind);
  else if (rows == 2) multiplyRows(2, pairs, a, b, c, steps, others, kind);
  else multiplyRows(1, pairs, a, b, c, steps, others, kind);
}

function multiplyRow(pairs: i32, a: usize, b: usize, c: usize, step: f32, others: usize, kind: i32): void {
  for (let j: usize = 0; j < <usize>COLUMNS; ++j, b += 2, c += 4) {
    let sum = 0;
    for (let i: usize = 0; i < <usize>pairs; ++i) {
      const codes = a + i * LANES, tile = b + i * LANES;
      sum += <i32>load<i16>(codes) * <i32>load<i8>(tile) + <i32>load<i16>(codes, 2) * <i32>load<i8>(tile, 1);
    }
    store<f32>(c, finish<f32>(load<f32>(c), <f32>sum, step, load<f32>(kind == SHRUNK ? others : others + (j << 2)), kind));
  }
}

// @ts-ignore: decorator
@inline
function finish<T>(c: T, sum: T, step: T, other: T, kind: i32): T {
  if (kind == SHRUNK) return add<T>(mul<T>(c, other), mul<T>(step, sum));
  const term = mul<T>(mul<T>(other, step), sum);
  return kind == SET ? term : add<T>(c, term);
}

/** `rows` is a constant of the caller's. One product is held back, as in tile.ts. */
// @ts-ignore: decorator
@inline
function multiplyRows(rows: i32, pairs: i32, a: usize, b: usize, c: usize, steps: usize, others: usize, kind: i32): void {
  const zero = i32x4.splat(0);
  let c00 = zero, c01 = zero, c10 = zero, c11 = zero, c20 = zero, c21 = zero, c30 = zero, c31 = zero;
  const end = b + <usize>pairs * LANES;
  let b0 = v128.load8x8_s(b), b1 = v128.load8x8_s(b, 8), x = v128.load32_splat(a), held = i32x4.dot_i16x8_s(b0, x);
  for (;;) {
    c01 = i32x4.add(c01, i32x4.dot_i16x8_s(b1, x));
    if (rows > 1) (x = v128.load32_splat(a, 4)), (c10 = i32x4.add(c10, i32x4.dot_i16x8_s(b0, x))), (c11 = i32x4.add(c11, i32x4.dot_i16x8_s(b1, x)));
    if (rows > 2) (x = v128.load32_splat(a, 8)), (c20 = i32x4.add(c20, i32x4.dot_i16x8_s(b0, x))), (c21 = i32x4.add(c21, i32x4.dot_i16x8_s(b1, x)));
    c00 = i32x4.add(c00, held);
    if (rows > 3) (x = v128.load32_splat(a, 12)), (c30 = i32x4.add(c30, i32x4.dot_i16x8_s(b0, x))), (c31 = i32x4.add(c31, i32x4.dot_i16x8_s(b1, x)));
    a += LANES, b += LANES;
    if (b >= end) break;
    b0 = v128.load8x8_s(b), b1 = v128.load8x8_s(b, 8), x = v128.load32_splat(a), held = i32x4.dot_i16x8_s(b0, x);
  }
  finishRow(c, c00, c01, steps, others, 0, kind);
  if (rows > 1) finishRow(c + 32, c10, c11, steps, others, 4, kind);
  if (rows > 2) finishRow(c + 64, c20, c21, steps, others, 8, kind);
  if (rows > 3) finishRow(c + 96, c30, c31, steps, others, 12, kind);
}

// @ts-ignore: decorator
@inline
function finishRow(c: usize, sum0: v128, sum1: v128, steps: usize, others: usize, row: usize, kind: i32): void {
  const step = v128.load32_splat(steps + row), first = f32x4.convert_i32x4_s(sum0), second = f32x4.convert_i32x4_s(sum1);
  if (kind == SHRUNK) {
    const shrink = v128.load32_splat(others + row);
    v128.store(c, finish<v128>(v128.load(c), first, step, shrink, SHRUNK));
    v128.store(c, finish<v128>(v128.load(c, 16), second, step, shrink, SHRUNK), 16);
  } else if (kind == SET) {
    v128.store(c, finish<v128>(first, first, step, v128.load(others), SET));
    v128.store(c, finish<v128>(second, second, step, v128.load(others, 16), SET), 16);
  } else {
    v128.store(c, finish<v128>(v128.load(c), first, step, v128.load(others), ADD));
    v128.store(c, finish<v128>(v128.load(c, 16), second, step, v128.load(others, 16), ADD), 16);
  }
}
