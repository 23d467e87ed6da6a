/**
 * The products of attention over an f32 cache: both are `multiply`, 4 rows by 8 columns in registers. Queries and weights lie as
 * [dim or key][4 rows], so that one quad's operands are contiguous.
 *
 * Order (contract): a score sums over the dims in order; an output, once shrunk, adds weight * value in order of the keys.
 */
import { SIMD } from '../lanes';
import { splat } from '../vector';
import { Item, LANES, QUAD, QUERIES, SEEN, SHRINK, WEIGHTS, outputs, transpose } from './attention_item';
import { BLOCK, COLUMNS } from './kv';
import { multiplyFour } from './tile';

/** The scores of a quad's first `rows` rows with a block's first `keys` keys, rounded up to whole tiles. */
export function scoreQuad(item: Item, quad: usize, rows: i32, block: usize, keys: i32): void {
  const headDim = item.headDim, scores = item.scores;
  for (let key = 0; key < keys; key += COLUMNS, block += <usize>(headDim * COLUMNS) << 2) {
    multiply(rows, headDim, quad + QUERIES, block, scores, true);
    transpose(quad + WEIGHTS + <usize>key * LANES, scores);
  }
}

/** Adds a block's values. `whole`: every row sees them all. Otherwise those after what the first row sees are added row by row. */
export function addQuad(item: Item, quad: usize, rows: i32, block: usize, whole: bool): void {
  const headDim = <usize>item.headDim, shared = whole ? BLOCK : load<i32>(quad + SEEN);
  const shrink = SIMD && i32x4.all_true(f32x4.eq(v128.load(quad + SHRINK), splat<v128>(1))) ? <usize>0 : quad + SHRINK;
  let tile = block + ((<usize>BLOCK * headDim) << 2), output = quad + outputs(item.headDim);
  for (const end = output + headDim * LANES; output < end; output += <usize>COLUMNS * LANES, tile += <usize>(BLOCK * COLUMNS) << 2) {
    if (shrink) rescale(output, shrink);
    if (shared) multiply(rows, shared, quad + WEIGHTS, tile, output, false);
    if (!whole) addLater(rows, quad, tile, output, shared);
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

/** Multiplies the rows of an output tile by the quad's shrinks. */
function rescale(tile: usize, shrink: usize): void {
  rescaleRow(tile, shrink), rescaleRow(tile + 32, shrink + 4), rescaleRow(tile + 64, shrink + 8), rescaleRow(tile + 96, shrink + 12);
}

// @ts-ignore: decorator
@inline
function rescaleRow(row: usize, shrink: usize): void {
  if (SIMD) {
    const by = v128.load32_splat(shrink);
    v128.store(row, f32x4.mul(v128.load(row), by));
    v128.store(row, f32x4.mul(v128.load(row, 16), by), 16);
  } else {
    for (let at: usize = 0; at < <usize>COLUMNS << 2; at += 4) store<f32>(row + at, load<f32>(row + at) * load<f32>(shrink));
  }
}

/**
 * c[r][j] = start + sum over i < depth, in order, of a[i][r] * b[i][j] for r < rows (1 to 4) and j < 8 (depth at least 1), where start is 0 if
 * `fresh`, else c[r][j]. Rows of a are 4 elements apart, those of b and c 8.
 */
function multiply(rows: i32, depth: i32, a: usize, b: usize, c: usize, fresh: bool): void {
  if (!SIMD) {
    for (let row = 0; row < rows; ++row, a += 4, c += COLUMNS << 2) multiplyRow(depth, a, b, c, fresh);
  } else if (rows == QUAD) multiplyFour(c, a, b, depth, COLUMNS << 2, fresh);
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

/** `rows` is a constant of the caller's, 1 to 3. One product is held back, as in tile.ts. */
// @ts-ignore: decorator
@inline
function multiplyRows(rows: i32, depth: i32, a: usize, b: usize, c: usize, fresh: bool): void {
  const zero = f32x4.splat(0);
  let c00 = zero, c01 = zero, c10 = zero, c11 = zero, c20 = zero, c21 = zero;
  if (!fresh) {
    (c00 = v128.load(c)), (c01 = v128.load(c, 16));
    if (rows > 1) (c10 = v128.load(c, 32)), (c11 = v128.load(c, 48));
    if (rows > 2) (c20 = v128.load(c, 64)), (c21 = v128.load(c, 80));
  }
  const end = b + (<usize>depth << 5);
  let b0 = v128.load(b), b1 = v128.load(b, 16), x = v128.load32_splat(a), held = f32x4.mul(x, b0);
  for (;;) {
    c01 = f32x4.add(c01, f32x4.mul(x, b1));
    if (rows > 1) (x = v128.load32_splat(a, 4)), (c10 = f32x4.add(c10, f32x4.mul(x, b0))), (c11 = f32x4.add(c11, f32x4.mul(x, b1)));
    c00 = f32x4.add(c00, held);
    if (rows > 2) (x = v128.load32_splat(a, 8)), (c20 = f32x4.add(c20, f32x4.mul(x, b0))), (c21 = f32x4.add(c21, f32x4.mul(x, b1)));
    a += LANES, b += 32;
    if (b >= end) break;
    b0 = v128.load(b), b1 = v128.load(b, 16), x = v128.load32_splat(a), held = f32x4.mul(x, b0);
  }
  v128.store(c, c00), v128.store(c, c01, 16);
  if (rows > 1) v128.store(c, c10, 32), v128.store(c, c11, 48);
  if (rows > 2) v128.store(c, c20, 64), v128.store(c, c21, 80);
}
