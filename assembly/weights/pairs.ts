/**
 * 16-bit floats as they are packed: a u32 holds row r in its low and row r + 4 in its high half; four of them make a column of 8 rows.
 * Columns of a group lie 32 bytes apart.
 */
import { SIMD } from '../lanes';
import { pairOffset } from './half';
import { loadRow } from './rows';
import { storeTransposed } from './transpose';
import { GROUP, the } from './types';

/** The bits at `row`, `column`, of columns that begin at `columns`. */
// @ts-ignore: decorator
@inline export function pairBits(columns: usize, row: usize, column: usize): u32 { return load<u16>(columns + (column << 5) + pairOffset(row)); }

/** Packs the columns of a group. `S` says what is kept of the file's bits: keep(bits), and keepPairs(pairs) of vectors. */
export function packColumns<S>(dst: usize, src: usize, rows: i32, k: i32, rowBytes: usize): void {
  let done = 0;
  if (SIMD) {
    for (; done + 8 <= k; done += 8) {
      const at = src + (<usize>done << 1), to = dst + (<usize>done << 5);
      const a = loadRow(at, 0, rows, rowBytes), e = loadRow(at, 4, rows, rowBytes);
      const b = loadRow(at, 1, rows, rowBytes), f = loadRow(at, 5, rows, rowBytes);
      const c = loadRow(at, 2, rows, rowBytes), g = loadRow(at, 6, rows, rowBytes);
      const d = loadRow(at, 3, rows, rowBytes), h = loadRow(at, 7, rows, rowBytes);
      storeTransposed(to, 32, pairLow<S>(a, e), pairLow<S>(b, f), pairLow<S>(c, g), pairLow<S>(d, h));
      storeTransposed(to + 128, 32, pairHigh<S>(a, e), pairHigh<S>(b, f), pairHigh<S>(c, g), pairHigh<S>(d, h));
    }
  }
  for (; done < k; done++) {
    for (let row = 0; row < GROUP; row++) {
      const bits = row < rows ? <u32>load<u16>(src + <usize>row * rowBytes + (<usize>done << 1)) : 0;
      store<u16>(dst + (<usize>done << 5) + pairOffset(row), the<S>().keep(bits));
    }
  }
}

// @ts-ignore: decorator
@inline function pairLow<S>(a: v128, b: v128): v128 { return the<S>().keepPairs(v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11)); }
// @ts-ignore: decorator
@inline function pairHigh<S>(a: v128, b: v128): v128 { return the<S>().keepPairs(v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15)); }

/** Columns of a group to f32: 8 rows of each. `W` gives four of the rows of a pair vector: floatsOf(pair, half, mask), mask of mask(). */
// @ts-ignore: decorator
@inline export function unpackPairs<W>(panel: usize, pairs: usize, k: i32): void {
  const mask = the<W>().mask();
  for (let column = 0; column < k; column++) {
    const pair = v128.load(pairs);
    v128.store(panel, the<W>().floatsOf(pair, 0, mask));
    v128.store(panel, the<W>().floatsOf(pair, 1, mask), 16);
    pairs += 32;
    panel += 32;
  }
}
