/**
 * The blocked f32 product under matmul.ts and matmul_grad.ts: C[i][j] = C[i][j] + sum over r of A[r][i] * B[r][j].
 *
 * A is packed in slivers of 4 i, [r][4]; B in panels of 8 j, [r][8]. A tile of C, 4 i x 8 j, stays in registers while r runs
 * over a block of DEPTH; between blocks it rests in memory, which changes no bit. Order of summation (contract):
 *   sum = C (or 0); for r ascending: sum = sum + A[r] * B[r]     multiply and add each rounded to f32.
 *
 * Packing costs a few percent and makes every load of the inner loop a step ahead: rows of activations whose distance is a
 * power of two would fall into the same few lines of the cache.
 */
import { SIMD } from '../lanes';
import { storeTransposed } from '../weights/transpose';

/** r of one block: a panel of B (8 KiB) and a sliver of A (4 KiB) stay in the first cache. */
export const DEPTH: i32 = 256;
/** i of one block: packed A (256 KiB) stays in the second. */
export const ROWS: i32 = 256;

const SLIVER: i32 = 4;
const TILE_BYTES: usize = 128;
const BLOCK_BYTES: usize = <usize>(ROWS * DEPTH) << 2;
export const PANEL_BYTES: usize = <usize>DEPTH << 5;

/** Scratch of one thread: a tile, the packed block of A, one panel of B. */
export const GEMM_BYTES: usize = TILE_BYTES + BLOCK_BYTES + PANEL_BYTES;
// @ts-ignore: decorator
@inline export function blockOf(scratch: usize): usize { return scratch + TILE_BYTES; }
// @ts-ignore: decorator
@inline export function panelOf(scratch: usize): usize { return scratch + TILE_BYTES + BLOCK_BYTES; }

/** The block of A in `scratch` times one panel: `rows` rows of C, 32 bytes each, rowBytes apart; from 0 if fresh. */
export function multiplyPanel(c: usize, panel: usize, scratch: usize, rows: i32, depth: i32, rowBytes: usize, fresh: bool): void {
  const sliverBytes = <usize>depth << 4;
  let a = blockOf(scratch), row = 0;
  for (; row + SLIVER <= rows; row += SLIVER) {
    multiplyTile(c, a, panel, depth, rowBytes, fresh);
    a += sliverBytes;
    c += rowBytes << 2;
  }
  if (row == rows) return;
  for (let i: usize = 0; i < <usize>(rows - row); i++) copyEight(scratch + (i << 5), c + i * rowBytes);
  multiplyTile(scratch, a, panel, depth, 32, fresh);
  for (let i: usize = 0; i < <usize>(rows - row); i++) copyEight(c + i * rowBytes, scratch + (i << 5));
}

// @ts-ignore: decorator
@inline function copyFour(to: usize, from: usize): void {
  if (SIMD) v128.store(to, v128.load(from));
  else store<u64>(to, load<u64>(from)), store<u64>(to, load<u64>(from, 8), 8);
}

// @ts-ignore: decorator
@inline export function copyEight(to: usize, from: usize): void {
  copyFour(to, from);
  copyFour(to + 16, from + 16);
}

/** A tile of C, 4 rows of 8, rowBytes apart: a sliver of A times a panel of B. */
// @ts-ignore: decorator
@inline export function multiplyTile(c: usize, a: usize, b: usize, depth: i32, rowBytes: usize, fresh: bool): void {
  if (SIMD) multiplyLanes(c, a, b, depth, rowBytes, fresh);
  else multiplyByValue(c, a, b, depth, rowBytes, fresh);
}

// @ts-ignore: decorator
@inline export function addProduct(sum: v128, x: v128, y: v128): v128 { return f32x4.add(sum, f32x4.mul(x, y)); }

// @ts-ignore: decorator
@inline function start(c: usize, fresh: bool): v128 { return fresh ? f32x4.splat(0) : v128.load(c); }

function multiplyLanes(c: usize, a: usize, b: usize, depth: i32, rowBytes: usize, fresh: bool): void {
  const c1 = c + rowBytes, c2 = c1 + rowBytes, c3 = c2 + rowBytes;
  let s0 = start(c, fresh), t0 = start(c + 16, fresh), s1 = start(c1, fresh), t1 = start(c1 + 16, fresh);
  let s2 = start(c2, fresh), t2 = start(c2 + 16, fresh), s3 = start(c3, fresh), t3 = start(c3 + 16, fresh);
  for (let r = 0; r < depth; r++) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const a0 = v128.load32_splat(a), a1 = v128.load32_splat(a, 4), a2 = v128.load32_splat(a, 8), a3 = v128.load32_splat(a, 12);
    s0 = addProduct(s0, a0, b0); t0 = addProduct(t0, a0, b1);
    s1 = addProduct(s1, a1, b0); t1 = addProduct(t1, a1, b1);
    s2 = addProduct(s2, a2, b0); t2 = addProduct(t2, a2, b1);
    s3 = addProduct(s3, a3, b0); t3 = addProduct(t3, a3, b1);
    a += 16; b += 32;
  }
  v128.store(c, s0); v128.store(c, t0, 16);
  v128.store(c1, s1); v128.store(c1, t1, 16);
  v128.store(c2, s2); v128.store(c2, t2, 16);
  v128.store(c3, s3); v128.store(c3, t3, 16);
}

/** The same one lane at a time: one row of the tile by four columns. */
function multiplyByValue(c: usize, a: usize, b: usize, depth: i32, rowBytes: usize, fresh: bool): void {
  for (let row: usize = 0; row < 4; row++) {
    multiplyFour(c, a + (row << 2), b, depth, fresh);
    multiplyFour(c + 16, a + (row << 2), b + 16, depth, fresh);
    c += rowBytes;
  }
}

function multiplyFour(c: usize, a: usize, b: usize, depth: i32, fresh: bool): void {
  let s0: f32 = 0, s1: f32 = 0, s2: f32 = 0, s3: f32 = 0;
  if (!fresh) { s0 = load<f32>(c); s1 = load<f32>(c, 4); s2 = load<f32>(c, 8); s3 = load<f32>(c, 12); }
  for (let r = 0; r < depth; r++) {
    const value = load<f32>(a);
    s0 += value * load<f32>(b); s1 += value * load<f32>(b, 4); s2 += value * load<f32>(b, 8); s3 += value * load<f32>(b, 12);
    a += 16; b += 32;
  }
  store<f32>(c, s0); store<f32>(c, s1, 4); store<f32>(c, s2, 8); store<f32>(c, s3, 12);
}

/** Packs A from rows that run along r: x[rows][depth], missing rows of the last sliver 0. */
export function packAcross(a: usize, x: usize, rows: i32, depth: i32, xBytes: usize): void {
  for (let row = 0; row < rows; row += SLIVER) {
    let r = 0;
    if (SIMD && row + SLIVER <= rows) {
      for (; r + 4 <= depth; r += 4) {
        const at = x + (<usize>r << 2);
        storeTransposed(a + (<usize>r << 4), 16, v128.load(at), v128.load(at + xBytes), v128.load(at + 2 * xBytes), v128.load(at + 3 * xBytes));
      }
    }
    for (; r < depth; r++) {
      for (let i = 0; i < SLIVER; i++) {
        store<f32>(a + (<usize>r << 4) + (<usize>i << 2), row + i < rows ? load<f32>(x + <usize>i * xBytes + (<usize>r << 2)) : 0);
      }
    }
    a += <usize>depth << 4;
    x += xBytes << 2;
  }
}

/** Packs A from rows that run along i: x[depth][rows], what the last sliver lacks 0. */
export function packAlong(a: usize, x: usize, rows: i32, depth: i32, xBytes: usize): void {
  for (let row = 0; row < rows; row += SLIVER) {
    let from = x + (<usize>row << 2);
    for (let r = 0; r < depth; r++) {
      if (row + SLIVER <= rows) copyFour(a, from);
      else for (let i = 0; i < SLIVER; i++) store<f32>(a + (<usize>i << 2), row + i < rows ? load<f32>(from + (<usize>i << 2)) : 0);
      a += 16;
      from += xBytes;
    }
  }
}
