import { at, least, most } from './encode';
import { halfOf } from './half';
import { nibbleAt } from './nibbles';
import { MINIMA } from './types';

/** q4_1: f16 d, f16 m, then 32 nibbles. x = d * code + m. */
export class Q4_1 {
  @inline get bits(): i32 { return 4; }
  @inline get scales(): i32 { return MINIMA; }
  @inline get fileBytes(): usize { return 20; }
  @inline get scaleAt(): usize { return 0; }

  @inline code(block: usize, sub: usize, column: usize): u32 { return nibbleAt(block + 4, column); }
  @inline pairs(block: usize, sub: usize): v128 { return v128.load(block + 4); }
}

/** d = (most - least) / 15 and m = least (f16); codes min(15, floor((x - least) / d + 0.5)). */
export function encode_q4_1(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += 32, out += 20, x += 128) {
    const minimum = least(x, 32), d: f32 = (most(x, 32) - minimum) / 15, inverse: f32 = d ? 1 / d : 0;
    store<u16>(out, halfOf(d));
    store<u16>(out, halfOf(minimum), 2);
    for (let j = 0; j < 16; j++) {
      const low = min(15, <i32>((at(x, j) - minimum) * inverse + 0.5)), high = min(15, <i32>((at(x, j + 16) - minimum) * inverse + 0.5));
      store<u8>(out + j, <u8>(low | high << 4), 4);
    }
  }
}
