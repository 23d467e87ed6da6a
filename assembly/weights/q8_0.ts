import { at, extreme } from './encode';
import { halfOf } from './half';
import { INTEGERS } from './types';

/** q8_0: f16 d, then 32 i8. x = d * code. Packed codes are biased by 128. */
export class Q8_0 {
  @inline get bits(): i32 { return 8; }
  @inline get scales(): i32 { return INTEGERS; }
  @inline get fileBytes(): usize { return 34; }
  @inline get scaleAt(): usize { return 0; }

  @inline code(block: usize, sub: usize, column: usize): u32 { return load<u8>(block + column, 2) ^ 0x80; }
  @inline codes(block: usize, sub: usize, half: i32): v128 { return v128.xor(v128.load(block + 2 + (<usize>half << 4)), i8x16.splat(-128)); }
}

/** d = max|x| / 127 (f16), codes round(x / d), ties away from zero. */
export function encode_q8_0(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += 32, out += 34, x += 128) {
    const d: f32 = abs(extreme(x, 32)) / 127, inverse: f32 = d ? 1 / d : 0;
    store<u16>(out, halfOf(d));
    for (let j = 0; j < 32; j++) {
      const scaled = at(x, j) * inverse;
      store<i8>(out + j, <i8>trunc(scaled + copysign<f32>(0.5, scaled)), 2);
    }
  }
}
