import { K_BLOCK, fitSubBlocks, storeNibbles } from './encode_k';
import { bitsAt } from './nibbles';
import { SUPER_MINIMA } from './types';

/** q4_K: f16 d and dmin, 12 bytes of 6-bit scales and minima, then 256 nibbles. x = d * scale * code - dmin * minimum. */
export class Q4_K {
  @inline get bits(): i32 { return 4; }
  @inline get scales(): i32 { return SUPER_MINIMA; }
  @inline get fileBytes(): usize { return 144; }
  @inline get scaleAt(): usize { return 0; }
  /** Where the small scales begin. */
  @inline get smallAt(): usize { return 4; }

  @inline code(block: usize, sub: usize, column: usize): u32 { return bitsAt(nibblesAt(block, sub), (sub & 1) << 2, column, 15); }

  @inline pairs(block: usize, sub: usize): v128 {
    const at = nibblesAt(block, sub), first = v128.load(at), second = v128.load(at, 16), mask = i8x16.splat(15);
    return sub & 1
      ? v128.or(v128.and(i16x8.shr_u(first, 4), mask), v128.andnot(second, mask))
      : v128.or(v128.and(first, mask), i16x8.shl(v128.and(second, mask), 4));
  }
}

/** Of blocks 0 and 1, 2 and 3, ...: 32 bytes, the even block in the low nibbles. */
// @ts-ignore: decorator
@inline function nibblesAt(block: usize, sub: usize): usize { return block + 16 + (sub >> 1 << 5); }

export function encode_q4_K(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += K_BLOCK, out += 144, x += 1024) {
    const fits = fitSubBlocks(out, x, 14, 20, 15);
    memory.fill(out + 16, 0, 128);
    for (let j: usize = 0; j < 8; j++) storeNibbles(out + 16 + (j >> 1 << 5), x + (j << 7), fits, <i32>j, 15);
  }
}
