import { at, least, most } from './encode';
import { halfOf } from './half';
import { fifthAt, fifthsOf, nibbleAt, nibblesOf, putFifths } from './nibbles';
import { MINIMA } from './types';

/** q5_1: f16 d, f16 m, u32 of fifth bits, then 32 nibbles. x = d * code + m. */
export class Q5_1 {
  @inline get bits(): i32 { return 5; }
  @inline get scales(): i32 { return MINIMA; }
  @inline get fileBytes(): usize { return 24; }
  @inline get scaleAt(): usize { return 0; }

  @inline code(block: usize, sub: usize, column: usize): u32 { return nibbleAt(block + 8, column) | fifthAt(block + 4, column); }
  @inline codes(block: usize, sub: usize, half: i32): v128 { return v128.or(nibblesOf(block + 8, half), fifthsOf(block + 4, half)); }
}

/** d = (most - least) / 31 and m = least (f16); codes min(31, floor((x - least) / d + 0.5)), their fifth bits apart. */
export function encode_q5_1(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += 32, out += 24, x += 128) {
    const minimum = least(x, 32), d: f32 = (most(x, 32) - minimum) / 31, inverse: f32 = d ? 1 / d : 0;
    store<u16>(out, halfOf(d));
    store<u16>(out, halfOf(minimum), 2);
    let bits: u32 = 0;
    for (let j = 0; j < 16; j++) {
      const low = min(31, <i32>((at(x, j) - minimum) * inverse + 0.5)), high = min(31, <i32>((at(x, j + 16) - minimum) * inverse + 0.5));
      store<u8>(out + j, <u8>(low & 15 | (high & 15) << 4), 8);
      bits |= putFifths(low, high, j);
    }
    store<u32>(out, bits, 4);
  }
}
