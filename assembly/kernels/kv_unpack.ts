/**
 * Blocks of f16 and q4_0 as the tiles that attention multiplies: of f32 and of codes of 8 bits (kv.ts). A block is unpacked into scratch
 * once for all rows of a work item, exactly; what follows is in the order of operations of the f32 or the q8_0 cache.
 */
import { SIMD } from '../lanes';
import { REBIAS, loadHalf, pairOffset, shortFloats, shortMask } from '../weights/half';
import { BLOCK, COLUMNS, Cache, KEY_SCALES, SCALE_DIMS, VALUE_SCALES, blockBytes, keyGroupBytes } from './kv';

/** Bytes between two groups of dims of values, as codes of 8 bits. */
const GROUP: usize = <usize>(BLOCK * COLUMNS);

/** Scratch for a block. The second of two groups of dims is written also where there is none. */
export function unpackedBytes(headDim: i32, cache: i32): usize {
  return blockBytes(headDim, cache - 1) + GROUP;
}

/** A block's first `keys` tokens, rounded up to whole tiles of keys and pairs of values. Returns `to`. */
export function unpackBlock(to: usize, from: usize, keys: i32, headDim: i32, cache: i32): usize {
  if (cache == Cache.F16) unpackFloats(to, from, keys, headDim);
  else unpackCodes(to, from, keys, headDim);
  return to;
}

function unpackFloats(to: usize, from: usize, keys: i32, headDim: i32): void {
  unpackHalves(to, from, ((keys + COLUMNS - 1) / COLUMNS) * headDim);
  to += <usize>(BLOCK * headDim) << 2;
  from += <usize>(BLOCK * headDim) << 1;
  for (let dim = 0; dim < headDim; dim += COLUMNS, to += GROUP << 2, from += GROUP << 1) unpackHalves(to, from, keys);
}

/** Rows of 8. Infinities and NaN are looked for once: they make all rows go the slow way. */
function unpackHalves(to: usize, from: usize, rows: i32): void {
  const end = from + (<usize>rows << 4);
  if (SIMD) {
    const mask = shortMask(), by = f32x4.splat(REBIAS), magnitude = i16x8.splat(0x7FFF);
    let most = i16x8.splat(0), y = to;
    for (let x = from; x < end; x += 16, y += 32) {
      const pairs = v128.load(x);
      most = i16x8.max_s(most, v128.and(pairs, magnitude));
      v128.store(y, f32x4.mul(shortFloats(pairs, 0, mask), by));
      v128.store(y, f32x4.mul(shortFloats(pairs, 1, mask), by), 16);
    }
    if (!v128.any_true(i16x8.gt_s(most, i16x8.splat(0x7BFF)))) return;
  }
  for (; from < end; from += 16, to += 32) {
    for (let i: usize = 0; i < <usize>COLUMNS; ++i) store<f32>(to + (i << 2), loadHalf(from + pairOffset(i)));
  }
}

/** Front to back, so that what is left over of an odd pair of dims is written over. */
function unpackCodes(to: usize, from: usize, keys: i32, headDim: i32): void {
  const groupBytes = keyGroupBytes(headDim), values = to + <usize>(BLOCK / COLUMNS) * groupBytes;
  for (let key = 0; key < BLOCK; key += COLUMNS, to += groupBytes) from = unpackKeys(to, from, headDim);
  to = values;
  for (let dim = 0; dim < headDim; dim += SCALE_DIMS) {
    unpackHalves(to, from, BLOCK / COLUMNS);
    to += VALUE_SCALES, from += VALUE_SCALES / 2;
    for (let group = dim; group < min(dim + SCALE_DIMS, headDim); group += 2 * COLUMNS, to += 2 * GROUP, from += GROUP) {
      unpackNibbles(to, from, (keys + 1) >> 1, 16, GROUP);
    }
  }
}

/** Eight keys. Returns where the next begin. */
function unpackKeys(to: usize, from: usize, headDim: i32): usize {
  for (let dim = 0; dim < headDim; dim += SCALE_DIMS) {
    const vectors = (min(SCALE_DIMS, headDim - dim) + 3) >> 2;
    unpackHalves(to, from, 1);
    unpackNibbles(to + KEY_SCALES, from + KEY_SCALES / 2, vectors, 32, 16);
    to += KEY_SCALES + (<usize>vectors << 5), from += KEY_SCALES / 2 + (<usize>vectors << 4);
  }
  return from;
}

/** Vectors of 16 bytes: codes of low nibbles, `apart` bytes before those of high ones; the next vector's `next` bytes on. */
function unpackNibbles(to: usize, from: usize, vectors: i32, next: usize, apart: usize): void {
  for (const end = from + (<usize>vectors << 4); from < end; from += 16, to += next) {
    if (SIMD) {
      const x = v128.load(from), low = i8x16.splat(15), eight = i8x16.splat(8);
      v128.store(to, i8x16.sub(v128.and(x, low), eight));
      v128.store(to + apart, i8x16.sub(v128.and(i16x8.shr_u(x, 4), low), eight));
    } else {
      for (let i: usize = 0; i < 16; ++i) {
        const x = load<u8>(from + i);
        store<i8>(to + i, <i8>(x & 15) - 8);
        store<i8>(to + apart + i, <i8>(x >> 4) - 8);
      }
    }
  }
}
