/**
 * The inner loop of every f32 product: a tile of C, 4 to 6 rows of 8, stays in registers while r runs over `depth` (at least 1):
 *   C[i][j] = C[i][j] (0 if fresh) + sum over r of A[r][i] * B[r][j], r ascending, multiply and add each rounded to f32.
 *
 * A is a sliver, [r][rows]; B a panel, [r][8]; rows of C are rowBytes apart. A tile has as many rows as x86's 16 registers allow (V8
 * keeps one): five and a product beside two vectors of B and one of A, or six where multiply and add are one. Four are for sizes
 * that are multiples of 4.
 */
import { RELAXED, SIMD } from '../lanes';
import { is } from '../weights/types';

/** Multiply, then add: the same bits everywhere. */
export class Separate {}
/** The same, four rows. */
class SeparateFour {}
/** One rounding where the machine has the instruction and the build is relaxed; else as Separate. Only where the user asked for it. */
export class Fused {}

// @ts-ignore: decorator
@inline function fuses<F>(): bool { return RELAXED && is<F, Fused>(); }

// @ts-ignore: decorator
@inline
export function addProduct<F>(sum: v128, x: v128, y: v128): v128 {
  if (fuses<F>()) return f32x4.relaxed_madd(x, y, sum);
  return f32x4.add(sum, f32x4.mul(x, y));
}

/** Rows of the tile that does most per load. */
// @ts-ignore: decorator
@inline export function tileRows<F>(): i32 { return fuses<F>() ? 6 : is<F, SeparateFour>() ? 4 : 5; }

/** A tile of 4 rows. */
export function multiplyFour(c: usize, a: usize, b: usize, depth: i32, rowBytes: usize, fresh: bool): void {
  if (SIMD) multiplyLanes<SeparateFour>(c, a, b, depth, rowBytes, fresh);
  else multiplyByValue(4, c, a, b, depth, rowBytes, fresh);
}

/** A tile of tileRows<F>(). */
export function multiplyTile<F>(c: usize, a: usize, b: usize, depth: i32, rowBytes: usize, fresh: bool): void {
  if (SIMD) multiplyLanes<F>(c, a, b, depth, rowBytes, fresh);
  else multiplyByValue(tileRows<F>(), c, a, b, depth, rowBytes, fresh);
}

// @ts-ignore: decorator
@inline function start(c: usize, fresh: bool): v128 { return fresh ? f32x4.splat(0) : v128.load(c); }

/**
 * Zen hands floating-point operations to its two schedulers by turns, so multiply, add, multiply, add leaves all products to one of
 * them. One product held back and added later in the step evens that out. It is made before the loop's branch, because Binaryen
 * would move it to where it is added. The first loads are for V8, which would make the addresses of splats anew in every pass.
 */
// @ts-ignore: decorator
@inline
function multiplyLanes<F>(c: usize, a: usize, b: usize, depth: i32, rowBytes: usize, fresh: bool): void {
  const c1 = c + rowBytes, c2 = c1 + rowBytes, c3 = c2 + rowBytes, c4 = c3 + rowBytes, c5 = c4 + rowBytes, end = b + (<usize>depth << 5);
  let s0 = start(c, fresh), t0 = start(c + 16, fresh), s1 = start(c1, fresh), t1 = start(c1 + 16, fresh);
  let s2 = start(c2, fresh), t2 = start(c2 + 16, fresh), s3 = start(c3, fresh), t3 = start(c3 + 16, fresh);
  let s4 = s0, t4 = t0, s5 = s0, t5 = t0;
  if (tileRows<F>() > 4) s4 = start(c4, fresh), t4 = start(c4 + 16, fresh);
  if (tileRows<F>() > 5) s5 = start(c5, fresh), t5 = start(c5 + 16, fresh);
  v128.load32_splat(a, 4), v128.load32_splat(a, 8), v128.load32_splat(a, 12);
  if (tileRows<F>() > 4) v128.load32_splat(a, 16);
  if (tileRows<F>() > 5) v128.load32_splat(a, 20);
  let b0 = v128.load(b), b1 = v128.load(b, 16), x = v128.load32_splat(a), held = f32x4.mul(x, b0);
  for (;;) {
    if (fuses<F>()) s0 = addProduct<F>(s0, x, b0);
    t0 = addProduct<F>(t0, x, b1);
    x = v128.load32_splat(a, 4), s1 = addProduct<F>(s1, x, b0), t1 = addProduct<F>(t1, x, b1);
    x = v128.load32_splat(a, 8), s2 = addProduct<F>(s2, x, b0), t2 = addProduct<F>(t2, x, b1);
    if (is<F, SeparateFour>()) s0 = f32x4.add(s0, held);
    x = v128.load32_splat(a, 12), s3 = addProduct<F>(s3, x, b0), t3 = addProduct<F>(t3, x, b1);
    if (tileRows<F>() == 5) s0 = f32x4.add(s0, held);
    if (tileRows<F>() > 4) x = v128.load32_splat(a, 16), s4 = addProduct<F>(s4, x, b0), t4 = addProduct<F>(t4, x, b1);
    if (tileRows<F>() > 5) x = v128.load32_splat(a, 20), s5 = addProduct<F>(s5, x, b0), t5 = addProduct<F>(t5, x, b1);
    a += tileRows<F>() << 2, b += 32;
    if (b >= end) break;
    b0 = v128.load(b), b1 = v128.load(b, 16), x = v128.load32_splat(a);
    if (!fuses<F>()) held = f32x4.mul(x, b0);
  }
  v128.store(c, s0), v128.store(c, t0, 16);
  v128.store(c1, s1), v128.store(c1, t1, 16);
  v128.store(c2, s2), v128.store(c2, t2, 16);
  v128.store(c3, s3), v128.store(c3, t3, 16);
  if (tileRows<F>() > 4) v128.store(c4, s4), v128.store(c4, t4, 16);
  if (tileRows<F>() > 5) v128.store(c5, s5), v128.store(c5, t5, 16);
}

/** The same one lane at a time: one row of the tile by four columns. */
function multiplyByValue(rows: usize, c: usize, a: usize, b: usize, depth: i32, rowBytes: usize, fresh: bool): void {
  for (let row: usize = 0; row < rows; row++, c += rowBytes, a += 4) {
    multiplyColumns(rows, c, a, b, depth, fresh);
    multiplyColumns(rows, c + 16, a, b + 16, depth, fresh);
  }
}

function multiplyColumns(rows: usize, c: usize, a: usize, b: usize, depth: i32, fresh: bool): void {
  let s0: f32 = 0, s1: f32 = 0, s2: f32 = 0, s3: f32 = 0;
  if (!fresh) { s0 = load<f32>(c); s1 = load<f32>(c, 4); s2 = load<f32>(c, 8); s3 = load<f32>(c, 12); }
  for (let r = 0; r < depth; r++, a += rows << 2, b += 32) {
    const value = load<f32>(a);
    s0 += value * load<f32>(b), s1 += value * load<f32>(b, 4), s2 += value * load<f32>(b, 8), s3 += value * load<f32>(b, 12);
  }
  store<f32>(c, s0), store<f32>(c, s1, 4), store<f32>(c, s2, 8), store<f32>(c, s3, 12);
}
