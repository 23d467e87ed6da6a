import { at, extreme } from './encode';
import { halfOf } from './half';
import { fifthAt, fifthsOf, nibbleAt, nibblesOf, putFifths } from './nibbles';
import { INTEGERS } from './types';

/** q5_0: f16 d, u32 of fifth bits, then 32 nibbles. x = d * (code - 16). */
export class Q5_0 {
  @inline get bits(): i32 { return 5; }
  @inline get scales(): i32 { return INTEGERS; }
  @inline get fileBytes(): usize { return 22; }
  @inline get scaleAt(): usize { return 0; }

  @inline code(block: usize, sub: usize, column: usize): u32 { return nibbleAt(block + 6, column) | fifthAt(block + 2, column); }
  @inline codes(block: usize, sub: usize, half: i32): v128 { return v128.or(nibblesOf(block + 6, half), fifthsOf(block + 2, half)); }
}

/** d = extreme / -16 (f16), so that the extreme has code 0; codes min(31, floor(x / d + 16.5)), their fifth bits apart. */
export function encode_q5_0(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += 32, out += 22, x += 128) {
    const d: f32 = extreme(x, 32) / -16, inverse: f32 = d ? 1 / d : 0;
    store<u16>(out, halfOf(d));
    let bits: u32 = 0;
    for (let j = 0; j < 16; j++) {
      const low = min(31, <i32>(at(x, j) * inverse + 16.5)), high = min(31, <i32>(at(x, j + 16) * inverse + 16.5));
      store<u8>(out + j, <u8>(low & 15 | (high & 15) << 4), 6);
      bits |= putFifths(low, high, j);
    }
    store<u32>(out, bits, 2);
  }
}
