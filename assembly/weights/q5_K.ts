import { K_BLOCK, codeOf, fitSubBlocks, storeNibbles } from './encode_k';
import { bitsAt, bitsOf } from './nibbles';
import { SUPER_MINIMA } from './types';

/** q5_K: as q4_K, with 32 bytes of fifth bits before the nibbles: bit j is that of block j. */
export class Q5_K {
  @inline get bits(): i32 { return 5; }
  @inline get scales(): i32 { return SUPER_MINIMA; }
  @inline get fileBytes(): usize { return 176; }
  @inline get scaleAt(): usize { return 0; }
  @inline get smallAt(): usize { return 4; }

  @inline code(block: usize, sub: usize, column: usize): u32 {
    return bitsAt(nibblesAt(block, sub), (sub & 1) << 2, column, 15) | bitsAt(block + 16, sub, column, 1) << 4;
  }

  @inline codes(block: usize, sub: usize, half: i32): v128 {
    return v128.or(bitsOf(nibblesAt(block, sub), (sub & 1) << 2, half, 15), i16x8.shl(bitsOf(block + 16, sub, half, 1), 4));
  }
}

// @ts-ignore: decorator
@inline function nibblesAt(block: usize, sub: usize): usize { return block + 48 + (sub >> 1 << 5); }

export function encode_q5_K(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += K_BLOCK, out += 176, x += 1024) {
    const fits = fitSubBlocks(out, x, 30.5, 15, 31);
    memory.fill(out + 16, 0, 160);
    for (let j: usize = 0; j < 8; j++) {
      storeNibbles(out + 48 + (j >> 1 << 5), x + (j << 7), fits, <i32>j, 31);
      storeFifths(out + 16, x + (j << 7), fits, <i32>j);
    }
  }
}

/** Bit j of each of the 32 bytes. */
function storeFifths(out: usize, x: usize, fits: usize, j: i32): void {
  for (let i = 0; i < 32; i++) store<u8>(out + i, load<u8>(out + i) | <u8>(codeOf(x, i, fits, j, 31) >> 4) << <u8>j);
}
