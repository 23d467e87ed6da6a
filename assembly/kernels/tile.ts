/**
 * The inner loop of every f32 product: a tile of C, 4 or 5 rows of 8, stays in registers while r runs over `depth`:
 *   C[i][j] = C[i][j] (0 if fresh) + sum over r of A[r][i] * B[r][j], r ascending, multiply and add each rounded to f32.
 *
 * A is a sliver, [r][rows]; B a panel, [r][8]; rows of C are rowBytes apart. Five rows take 14 of x86's 16 registers (V8 keeps one)
 * and do most per load; four are for sizes that are multiples of 4.
 */
import { RELAXED, SIMD } from '../lanes';
import { is } from '../weights/types';

/** Multiply, then add: the same bits everywhere. */
export class Separate {}
/** One rounding where the machine has the instruction and the build is relaxed; else as Separate. Only where the user asked for it. */
export class Fused {}

// @ts-ignore: decorator
@inline
export function addProduct<F>(sum: v128, x: v128, y: v128): v128 {
  if (RELAXED && is<F, Fused>()) return f32x4.relaxed_madd(x, y, sum);
  return f32x4.add(sum, f32x4.mul(x, y));
}

/** A tile of 4 rows. */
export function multiplyFour(c: usize, a: usize, b: usize, depth: i32, rowBytes: usize, fresh: bool): void {
  if (SIMD) multiplyLanes<Separate>(4, c, a, b, depth, rowBytes, fresh);
  else multiplyByValue(4, c, a, b, depth, rowBytes, fresh);
}

/** A tile of 5 rows. */
export function multiplyFive<F>(c: usize, a: usize, b: usize, depth: i32, rowBytes: usize, fresh: bool): void {
  if (SIMD) multiplyLanes<F>(5, c, a, b, depth, rowBytes, fresh);
  else multiplyByValue(5, c, a, b, depth, rowBytes, fresh);
}

// @ts-ignore: decorator
@inline function start(c: usize, fresh: bool): v128 { return fresh ? f32x4.splat(0) : v128.load(c); }

/** `rows` is a constant of the caller's. */
// @ts-ignore: decorator
@inline
function multiplyLanes<F>(rows: usize, c: usize, a: usize, b: usize, depth: i32, rowBytes: usize, fresh: bool): void {
  const c1 = c + rowBytes, c2 = c1 + rowBytes, c3 = c2 + rowBytes, c4 = c3 + rowBytes;
  let s0 = start(c, fresh), t0 = start(c + 16, fresh), s1 = start(c1, fresh), t1 = start(c1 + 16, fresh);
  let s2 = start(c2, fresh), t2 = start(c2 + 16, fresh), s3 = start(c3, fresh), t3 = start(c3 + 16, fresh);
  let s4 = s0, t4 = t0;
  if (rows > 4) s4 = start(c4, fresh), t4 = start(c4 + 16, fresh);
  for (const end = b + (<usize>depth << 5); b < end; a += rows << 2, b += 32) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    s0 = addProduct<F>(s0, x, b0), t0 = addProduct<F>(t0, x, b1);
    x = v128.load32_splat(a, 4), s1 = addProduct<F>(s1, x, b0), t1 = addProduct<F>(t1, x, b1);
    x = v128.load32_splat(a, 8), s2 = addProduct<F>(s2, x, b0), t2 = addProduct<F>(t2, x, b1);
    x = v128.load32_splat(a, 12), s3 = addProduct<F>(s3, x, b0), t3 = addProduct<F>(t3, x, b1);
    if (rows > 4) x = v128.load32_splat(a, 16), s4 = addProduct<F>(s4, x, b0), t4 = addProduct<F>(t4, x, b1);
  }
  v128.store(c, s0), v128.store(c, t0, 16);
  v128.store(c1, s1), v128.store(c1, t1, 16);
  v128.store(c2, s2), v128.store(c2, t2, 16);
  v128.store(c3, s3), v128.store(c3, t3, 16);
  if (rows > 4) v128.store(c4, s4), v128.store(c4, t4, 16);
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
