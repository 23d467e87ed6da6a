import { bfloats, upperMask } from './half';
import { packColumns, pairBits } from './pairs';

/** bf16: the upper half of an f32. Packed: pairs.ts. */
export class BFloat16 {
  @inline get bits(): i32 { return 16; }
  @inline get fileBytes(): usize { return 2; }
  @inline get groupHead(): usize { return 0; }

  @inline valueAt(group: usize, row: usize, column: usize): f32 { return reinterpret<f32>(pairBits(group, row, column) << 16); }

  @inline pack(dst: usize, src: usize, rows: i32, k: i32, rowBytes: usize): void { packColumns<BFloat16>(dst, src, rows, k, rowBytes); }
  @inline keep(bits: u32): u32 { return bits; }
  @inline keepPairs(pairs: v128): v128 { return pairs; }

  /** Whether the group's values cannot be unpacked as vectors. */
  @inline isWide(group: usize): bool { return false; }
  @inline mask(): v128 { return upperMask(); }
  @inline floatsOf(pair: v128, half: i32, mask: v128): v128 { return bfloats(pair, half, mask); }
}

/** The upper half of the bits, ties to even. */
export function encode_bf16(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i++, out += 2) {
    const bits = load<u32>(x + (<usize>i << 2));
    store<u16>(out, <u16>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16));
  }
}
