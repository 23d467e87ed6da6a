/**
 * The products of attention over an f32 cache: both are `multiply`, 4 rows by 8 columns in registers. Queries and weights lie as
 * [dim or key][4 rows], so that one quad's operands are contiguous.
 *
 * Order (contract): a score sums over the dims in order; an output, once shrunk, adds weight * value in order of the keys.
 */
import { SIMD } from '../lanes';
import { splat } from '../vector';
import { Item, LANES, QUAD, QUERIES, SEEN, SHRINK, WEIGHTS, outputs, quadOf, transpose } from './attention_item';
import { BLOCK, COLUMNS, keyTile, valueTile } from './kv';

export function scoreBlock(item: Item, block: usize, keys: i32): void {
  const scores = item.scores;
  for (let group = 0; group * COLUMNS < keys; ++group) {
    const tile = block + (keyTile(group, item.headDim) << 2);
    for (let row = 0; row < item.rows; row += QUAD) {
      const quad = quadOf(item, row);
      multiply(min(QUAD, item.rows - row), item.headDim, quad + QUERIES, tile, scores, FRESH);
      transpose(quad + WEIGHTS + <usize>(group * COLUMNS) * LANES, scores);
    }
  }
}

/** `whole`: every row sees the whole block. Otherwise keys beyond those that the first row of a quad sees are added row by row. */
export function addValues(item: Item, block: usize, whole: bool): void {
  for (let group = 0; group * COLUMNS < item.headDim; ++group) {
    const tile = block + ((<usize>(BLOCK * item.headDim) + valueTile(group)) << 2);
    for (let row = 0; row < item.rows; row += QUAD) {
      const quad = quadOf(item, row), rows = min(QUAD, item.rows - row);
      const output = quad + outputs(item.headDim) + <usize>(group * COLUMNS) * LANES;
      const shared = whole ? BLOCK : load<i32>(quad + SEEN);
      multiply(rows, shared, quad + WEIGHTS, tile, output, shrinks(quad) ? quad + SHRINK : AS_IS);
      if (!whole) addLater(rows, quad, tile, output, shared);
    }
  }
}

// @ts-ignore: decorator
@inline
function shrinks(quad: usize): bool {
  return !SIMD || !i32x4.all_true(f32x4.eq(v128.load(quad + SHRINK), splat<v128>(1)));
}

/** To rows 1 … of an output tile: values of the keys after the first `shared` that they see. */
function addLater(rows: i32, quad: usize, tile: usize, output: usize, shared: i32): void {
  const weights = quad + WEIGHTS + <usize>shared * LANES;
  tile += <usize>(shared * COLUMNS) << 2;
  for (let i = 1; i < rows; ++i) {
    const offset = <usize>i << 2, more = load<i32>(quad + SEEN + offset) - shared;
    if (more > 0) multiply(1, more, weights + offset, tile, output + offset * COLUMNS, AS_IS);
  }
}

/** Where sums start: at 0, at c, or (any other value, an address) at c[r] times the number r there. */
const FRESH: usize = 0, AS_IS: usize = 1;

/**
 * c[r][j] = start + sum over i < depth, in order, of a[i][r] * b[i][j] for r < rows (1 to 4) and j < 8.
 * Rows of a are 4 elements apart, those of b and c 8.
 */
function multiply(rows: i32, depth: i32, a: usize, b: usize, c: usize, start: usize): void {
  if (!SIMD) {
    for (let row: usize = 0; row < <usize>rows; ++row, a += 4, c += COLUMNS << 2) multiplyRow(depth, a, b, c, start > AS_IS ? start + (row << 2) : start);
  } else if (rows == 4) multiplyRows(4, depth, a, b, c, start);
  else if (rows == 3) multiplyRows(3, depth, a, b, c, start);
  else if (rows == 2) multiplyRows(2, depth, a, b, c, start);
  else multiplyRows(1, depth, a, b, c, start);
}

function multiplyRow(depth: i32, a: usize, b: usize, c: usize, start: usize): void {
  for (let half = 0; half < 2; ++half, b += 16, c += 16) {
    const by: f32 = start > AS_IS ? load<f32>(start) : 1;
    let c0: f32 = start ? load<f32>(c) * by : 0, c1: f32 = start ? load<f32>(c, 4) * by : 0;
    let c2: f32 = start ? load<f32>(c, 8) * by : 0, c3: f32 = start ? load<f32>(c, 12) * by : 0;
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
function multiplyRows(rows: i32, depth: i32, a: usize, b: usize, c: usize, start: usize): void {
  const zero = f32x4.splat(0);
  let c00 = zero, c01 = zero, c10 = zero, c11 = zero, c20 = zero, c21 = zero, c30 = zero, c31 = zero;
  if (start) {
    (c00 = v128.load(c)), (c01 = v128.load(c, 16));
    if (rows > 1) (c10 = v128.load(c, 32)), (c11 = v128.load(c, 48));
    if (rows > 2) (c20 = v128.load(c, 64)), (c21 = v128.load(c, 80));
    if (rows > 3) (c30 = v128.load(c, 96)), (c31 = v128.load(c, 112));
  }
  if (start > AS_IS) {
    let by = v128.load32_splat(start);
    (c00 = f32x4.mul(c00, by)), (c01 = f32x4.mul(c01, by));
    if (rows > 1) (by = v128.load32_splat(start, 4)), (c10 = f32x4.mul(c10, by)), (c11 = f32x4.mul(c11, by));
    if (rows > 2) (by = v128.load32_splat(start, 8)), (c20 = f32x4.mul(c20, by)), (c21 = f32x4.mul(c21, by));
    if (rows > 3) (by = v128.load32_splat(start, 12)), (c30 = f32x4.mul(c30, by)), (c31 = f32x4.mul(c31, by));
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
