import { at, extreme } from './encode';
import { halfOf } from './half';
import { nibbleAt } from './nibbles';
import { INTEGERS } from './types';

/** q4_0: f16 d, then 32 nibbles. x = d * (code - 8). */
export class Q4_0 {
  @inline get bits(): i32 { return 4; }
  @inline get scales(): i32 { return INTEGERS; }
  @inline get fileBytes(): usize { return 18; }
  @inline get scaleAt(): usize { return 0; }

  @inline code(block: usize, sub: usize, column: usize): u32 { return nibbleAt(block + 2, column); }
  @inline pairs(block: usize, sub: usize): v128 { return v128.load(block + 2); }
}

/** d = extreme / -8 (f16), so that the extreme has code 0 (-8 without offset); codes min(15, floor(x / d + 8.5)). */
export function encode_q4_0(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += 32, out += 18, x += 128) {
    const d: f32 = extreme(x, 32) / -8, inverse: f32 = d ? 1 / d : 0;
    store<u16>(out, halfOf(d));
    for (let j = 0; j < 16; j++) {
      const low = min(15, <i32>(at(x, j) * inverse + 8.5)), high = min(15, <i32>(at(x, j + 16) * inverse + 8.5));
      store<u8>(out + j, <u8>(low | high << 4), 2);
    }
  }
}
