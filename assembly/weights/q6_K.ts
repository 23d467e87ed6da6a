import { at, clamp, extreme } from './encode';
import { K_BLOCK } from './encode_k';
import { halfOf, loadHalf } from './half';
import { bitsAt, bitsOf } from './nibbles';
import { SIXTEENTHS } from './types';

/** q6_K: 256 low nibbles, 256 upper bit pairs, sixteen i8 scales, f16 d. x = d * scale * (code - 32). */
export class Q6_K {
  @inline get bits(): i32 { return 6; }
  @inline get scales(): i32 { return SIXTEENTHS; }
  @inline get fileBytes(): usize { return 210; }
  @inline get scaleAt(): usize { return 208; }
  @inline get smallAt(): usize { return 192; }

  @inline code(block: usize, sub: usize, column: usize): u32 {
    return bitsAt(nibblesAt(block, sub), nibbleShift(sub), column, 15) | bitsAt(upperAt(block, sub), (sub & 3) << 1, column, 3) << 4;
  }

  @inline codes(block: usize, sub: usize, half: i32): v128 {
    return v128.or(bitsOf(nibblesAt(block, sub), nibbleShift(sub), half, 15), i16x8.shl(bitsOf(upperAt(block, sub), (sub & 3) << 1, half, 3), 4));
  }
}

/** Four blocks share 64 bytes: the first two have their low nibbles, the others the high ones. */
// @ts-ignore: decorator
@inline function nibblesAt(block: usize, sub: usize): usize { return block + (sub >> 2 << 6) + ((sub & 1) << 5); }
// @ts-ignore: decorator
@inline function nibbleShift(sub: usize): usize { return (sub >> 1 & 1) << 2; }

/** And 32 bytes of bit pairs. */
// @ts-ignore: decorator
@inline function upperAt(block: usize, sub: usize): usize { return block + 128 + (sub >> 2 << 5); }

/** Scales of the 16 columns each of a block while it is encoded. */
const FITS: usize = memory.data(64);

/** Each sixteenth's scale is searched for (fitSymmetric); d is such that the largest has -128. */
export function encode_q6_K(out: usize, x: usize, count: i32): void {
  for (let i = 0; i < count; i += K_BLOCK, out += 210, x += 1024) encodeBlock(out, x);
}

function encodeBlock(out: usize, x: usize): void {
  let most: f32 = 0;
  for (let j: usize = 0; j < 16; j++) {
    const scale = fitSymmetric(x + (j << 6));
    store<f32>(FITS + (j << 2), scale);
    if (abs(scale) > abs(most)) most = scale;
  }
  memory.fill(out, 0, 210);
  if (abs(most) < 1e-15) return;
  const inverse: f32 = -128 / most;
  store<u16>(out, halfOf(1 / inverse), 208);
  const d = loadHalf(out + 208);
  for (let j = 0; j < 16; j++) {
    const scale = clamp(inverse * load<f32>(FITS + (<usize>j << 2)), -128, 127);
    store<i8>(out + j, <i8>scale, 192);
    storeCodes(out, x + (<usize>j << 6), d * <f32>scale, j << 4);
  }
}

/** Tries scales around extreme / -32 and returns the least-squares scale of the codes with the least x²-weighted error. */
function fitSymmetric(x: usize): f32 {
  const most = extreme(x, 16);
  if (abs(most) < 1e-15) return 0;
  let best: f32 = 0, bestScale: f32 = 0;
  for (let step = -9; step <= 9; step++) {
    const inverse: f32 = -(<f32>32 + <f32>0.1 * <f32>step) / most;
    let xl: f32 = 0, ll: f32 = 0;
    for (let i = 0; i < 16; i++) {
      const value = at(x, i), code = <f32>clamp(value * inverse, -32, 31), weight = value * value;
      xl += weight * value * code;
      ll += weight * code * code;
    }
    // The error of the best scale xl / ll for these codes falls as xl² / ll grows.
    if (ll <= 0 || xl * xl <= best * ll) continue;
    best = xl * xl / ll;
    bestScale = xl / ll;
  }
  return bestScale;
}

/** Codes first .. first + 15 of a block. */
function storeCodes(out: usize, x: usize, scale: f32, first: i32): void {
  for (let i = 0; i < 16; i++) {
    const code = 32 + (scale ? clamp(at(x, i) / scale, -32, 31) : 0);
    const index = first + i, within = index & 127;
    const low = out + (<usize>(index >> 7) << 6) + (within & 63), high = out + 128 + (<usize>(index >> 7) << 5) + (within & 31);
    store<u8>(low, load<u8>(low) | <u8>(code & 15) << <u8>(within & 64 ? 4 : 0));
    store<u8>(high, load<u8>(high) | <u8>(code >> 4) << <u8>(within >> 5 << 1));
  }
}
