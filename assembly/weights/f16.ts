import { SIMD } from '../lanes';
import { NORMAL_END, NORMAL_REBIAS, halfOf, halfToFloat, normalToFloat, shortFloats, shortMask, toNormal, toNormals } from './half';
import { packColumns, pairBits } from './pairs';

/**
 * f16. Packed (pairs.ts) without subnormals, which processors multiply slowly: five bits of exponent with a bias of 25 hold all
 * of them as normal numbers, and everything below 128. A group with a larger value, an infinity or NaN stays f16: it is wide, and
 * the u32 at its head is 1 instead of 0.
 */
export class Half {
  @inline get bits(): i32 { return 16; }
  @inline get fileBytes(): usize { return 2; }
  /** As long as a column. */
  @inline get groupHead(): usize { return 32; }

  @inline valueAt(group: usize, row: usize, column: usize): f32 {
    const bits = pairBits(group + 32, row, column);
    return load<u32>(group) ? halfToFloat(bits) : normalToFloat(bits);
  }

  @inline pack(dst: usize, src: usize, rows: i32, k: i32, rowBytes: usize): void { packHalves(dst, src, rows, k, rowBytes); }
  @inline keep(bits: u32): u32 { return bits; }
  @inline keepPairs(pairs: v128): v128 { return pairs; }

  /** Whether the group's values cannot be unpacked as vectors. */
  @inline isWide(group: usize): bool { return load<u32>(group) != 0; }
  @inline mask(): v128 { return shortMask(); }
  @inline floatsOf(pair: v128, half: i32, mask: v128): v128 { return f32x4.mul(shortFloats(pair, half, mask), f32x4.splat(NORMAL_REBIAS)); }
}

/** f16 to be packed with a bias of 25. */
class Normal {
  @inline keep(bits: u32): u32 { return toNormal(bits); }
  @inline keepPairs(pairs: v128): v128 { return toNormals(pairs); }
}

function packHalves(dst: usize, src: usize, rows: i32, k: i32, rowBytes: usize): void {
  const normal = !anyFrom(src, rows * k, NORMAL_END);
  store<u64>(dst, normal ? 0 : 1);
  store<u64>(dst, 0, 8);
  dst += 32;
  if (normal) packColumns<Normal>(dst, src, rows, k, rowBytes);
  else packColumns<Half>(dst, src, rows, k, rowBytes);
}

/** Whether any of `count` f16 values has bits, sign apart, of `first` or above. */
function anyFrom(src: usize, count: i32, first: u32): bool {
  let done = 0;
  if (SIMD) {
    const magnitude = i16x8.splat(0x7FFF);
    let largest = i16x8.splat(0);
    for (; done + 8 <= count; done += 8) largest = i16x8.max_s(largest, v128.and(v128.load(src + (<usize>done << 1)), magnitude));
    if (v128.any_true(i16x8.ge_s(largest, i16x8.splat(<i16>first)))) return true;
  }
  for (; done < count; done++) if (<u32>(load<u16>(src + (<usize>done << 1)) & 0x7FFF) >= first) return true;
  return false;
}

export function encode_f16(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i++, out += 2) store<u16>(out, halfOf(load<f32>(x + (<usize>i << 2))));
}
