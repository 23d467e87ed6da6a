/**
 * 16-bit floats to f32, exactly: subnormals, infinities and NaN included.
 *
 * f16 bits moved down by 3 (sign apart) are an f32 whose exponent is short by 112, so one exact multiplication by
 * 2^112 converts normals and subnormals alike; an exponent of all ones is set to f32's own.
 *
 * A bias of 25 in the exponent, with which weights of f16 are packed, holds subnormals as normal numbers: f16.ts.
 */
export const REBIAS: f32 = 5192296858534827628530496329220096.0; // 2^112
const MAGNITUDE: u32 = 0x0FFFE000;
const EXPONENT: u32 = 0x0F800000;
const INFINITE: u32 = 0x7F800000;

/** What the exponent is short by in bits of bias 25. */
export const NORMAL_REBIAS: f32 = 5070602400912917605986812821504.0; // 2^102

/** The first f16 bits, sign apart, that are too large for a bias of 25: of 128. */
export const NORMAL_END: u32 = 0x5800;

/** The f32 of bits of bias 25. */
export function normalToFloat(bits: u32): f32 {
  return reinterpret<f32>((bits & 0x8000) << 16 | (bits << 13) & MAGNITUDE) * NORMAL_REBIAS;
}

/** f16 bits below NORMAL_END with a bias of 25. */
export function toNormal(bits: u32): u32 {
  const short = reinterpret<u32>(reinterpret<f32>((bits << 13) & MAGNITUDE) * TO_NORMAL);
  return bits & 0x8000 | short >> 13;
}

/** A pair vector of f16 bits below NORMAL_END with a bias of 25: ten more in the exponent, unless a value is subnormal or 0. */
// @ts-ignore: decorator
@inline export function toNormals(pairs: v128): v128 {
  const small = i16x8.lt_s(v128.and(pairs, i16x8.splat(0x7FFF)), i16x8.splat(FIRST_NORMAL));
  if (!v128.any_true(small)) return i16x8.add(pairs, i16x8.splat(10 * FIRST_NORMAL));
  return v128.or(i32x4.shr_u(upperNormals(pairs, 0), 16), upperNormals(pairs, 1));
}
/** The least f16 bits that are no subnormal: 1 in the exponent. */
const FIRST_NORMAL: i16 = 0x400;
const TO_NORMAL: f32 = 1024;

/** Rows 0..3 or 4..7 in the upper halves. */
// @ts-ignore: decorator
@inline function upperNormals(pairs: v128, half: i32): v128 {
  const short = f32x4.mul(shortFloats(pairs, half, shortMask()), f32x4.splat(TO_NORMAL));
  return v128.or(i32x4.shl(short, 3), v128.and(short, i32x4.splat(0x80000000)));
}

/** The f32 of f16 bits. */
export function halfToFloat(bits: u32): f32 {
  const short = (bits << 13) & MAGNITUDE;
  const value = short >= EXPONENT ? reinterpret<f32>(short | INFINITE) : reinterpret<f32>(short) * REBIAS;
  return reinterpret<f32>(reinterpret<u32>(value) | (bits & 0x8000) << 16);
}

/** Nearest f16, ties to even; beyond its range infinity. */
export function halfOf(x: f32): u16 {
  const sign = <u16>(reinterpret<u32>(x) >> 16 & 0x8000);
  const magnitude = abs(x);
  if (!(magnitude < 65520)) return sign | (magnitude == magnitude ? 0x7C00 : 0x7E00);
  if (magnitude < 6.103515625e-5) return sign | <u16>nearest(magnitude * 16777216); // subnormal: units of 2^-24
  const bits = reinterpret<u32>(magnitude);
  const rounded = bits + 0x0FFF + (bits >> 13 & 1);
  return sign | <u16>((rounded >> 13) - (112 << 10));
}

// @ts-ignore: decorator
@inline export function loadHalf(address: usize): f32 { return halfToFloat(load<u16>(address)); }

/** Where row r of a packed pair vector lies, in bytes. */
// @ts-ignore: decorator
@inline export function pairOffset(row: usize): usize { return (row & 3) << 2 | (row >> 2) << 1; }

/** Rows 0..3 (half 0) or 4..7 (half 1) of a pair vector as f32 bits short of 112 in the exponent. */
// @ts-ignore: decorator
@inline export function shortFloats(pairs: v128, half: i32, mask: v128): v128 {
  return v128.and(i32x4.shr_s(half ? pairs : i32x4.shl(pairs, 16), 3), mask);
}

/** `mask` for shortFloats: sign and magnitude. From memory, as all constants here: V8 would build them anew at each use, with three instructions. */
// @ts-ignore: decorator
@inline export function shortMask(): v128 { return v128.load32_splat(SHORT_MASK); }
const SHORT_MASK: usize = memory.data<u32>([0x80000000 | 0x0FFFE000]);

/** Rows 0..3 or 4..7 of a pair vector of bf16 as f32x4. `mask`: upperMask. */
// @ts-ignore: decorator
@inline export function bfloats(pairs: v128, half: i32, mask: v128): v128 {
  return half ? v128.and(pairs, mask) : i32x4.shl(pairs, 16);
}

/** The upper half of each lane; from memory like shortMask. */
// @ts-ignore: decorator
@inline export function upperMask(): v128 { return v128.load32_splat(UPPER_MASK); }
const UPPER_MASK: usize = memory.data<u32>([0xFFFF0000]);
