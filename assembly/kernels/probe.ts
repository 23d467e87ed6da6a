/**
 * The limits of this machine: loops that do nothing but one instruction mix, as fast as the engine's code for it runs.
 *
 * Arithmetic runs in CHAINS independent chains: an x86 core of today starts two such instructions a cycle and has their
 * results 4 (fused) to 8 (multiply, then add) cycles later; 12 sums and two operands are what fits in its 16 registers.
 * Operands come from memory, and each chain takes part in its own next step, so that nothing can be folded or hoisted.
 * Every probe writes what it found, for the same reason: 16 bytes an item behind the 32 bytes of operands at `out`.
 */
import { RELAXED, SIMD } from '../lanes';
import { is } from '../weights/types';
import { probe } from './dot';

const CHAINS: i32 = 12;
const OPERANDS: usize = 32;
/** Bytes that one step of the reading loop takes in. */
const STEP: usize = 128;

/** f32: multiply, then add, as every kernel that generates does. */
class Separate {}
/** f32: relaxed_madd, one instruction where the machine has it. */
class Fused {}
/** i16 products added in pairs to i32 (plain simd128). */
class Words {}
/** int8 products added in fours to i32 (relaxed). */
class Dot {}
/** int8 products added in pairs to i16 (relaxed): what dot.ts calls Narrow. */
class Pairs {}

/** How many forms of multiply-add this build has, and operations of one iteration. */
export function probe_float_forms(): i32 { return RELAXED ? 2 : 1; }
export function probe_float_operations(): i32 { return CHAINS * 2 * (SIMD ? 4 : 1); }

/** Items first … end of `iterations` each; form 0 Separate, 1 Fused. */
export function probe_float(out: usize, iterations: i32, form: i32, first: i32, end: i32): void {
  for (let item = first; item < end; item++) {
    const to = out + OPERANDS + (<usize>item << 4);
    if (!SIMD) scalarFloats(to, out, iterations);
    else if (RELAXED && form == 1) chains<Fused>(to, out, iterations);
    else chains<Separate>(to, out, iterations);
  }
}

/** How this machine's relaxed dot reads codes above 127: DIRECT, SIGNED or PAIRS of dot.ts; -1 in builds without it. */
export function probe_dot(salt: i32): i32 { return RELAXED ? probe(salt) : -1; }

export function probe_integer_forms(): i32 { return RELAXED ? 3 : 1; }
export function probe_integer_operations(form: i32): i32 { return CHAINS * 2 * (!SIMD ? 1 : form ? 16 : 8); }

/** As probe_float; form 0 Words (scalar: one product at a time), 1 Dot, 2 Pairs. */
export function probe_integer(out: usize, iterations: i32, form: i32, first: i32, end: i32): void {
  for (let item = first; item < end; item++) {
    const to = out + OPERANDS + (<usize>item << 4);
    if (!SIMD) scalarIntegers(to, out, iterations);
    else if (RELAXED && form == 1) chains<Dot>(to, out, iterations);
    else if (RELAXED && form == 2) chains<Pairs>(to, out, iterations);
    else chains<Words>(to, out, iterations);
  }
}

// @ts-ignore: decorator
@inline function next<F>(sum: v128, a: v128, b: v128): v128 {
  if (is<F, Separate>()) return f32x4.add(f32x4.mul(sum, a), b);
  if (is<F, Fused>()) return f32x4.relaxed_madd(a, b, sum);
  if (is<F, Dot>()) return i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, sum);
  if (is<F, Pairs>()) return i16x8.add(i16x8.relaxed_dot_i8x16_i7x16_s(sum, a), b);
  return i32x4.add(i32x4.dot_i16x8_s(sum, a), b);
}

function chains<F>(to: usize, operands: usize, iterations: i32): void {
  const a = v128.load(operands), b = v128.load(operands, 16);
  let s0 = v128.load(to), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0, s8 = s0, s9 = s0, s10 = s0, s11 = s0;
  s1 = next<F>(s0, b, a); s2 = next<F>(s1, b, a); s3 = next<F>(s2, b, a); s4 = next<F>(s3, b, a); s5 = next<F>(s4, b, a); s6 = next<F>(s5, b, a);
  s7 = next<F>(s6, b, a); s8 = next<F>(s7, b, a); s9 = next<F>(s8, b, a); s10 = next<F>(s9, b, a); s11 = next<F>(s10, b, a);
  for (let i = 0; i < iterations; i++) {
    s0 = next<F>(s0, a, b); s1 = next<F>(s1, a, b); s2 = next<F>(s2, a, b); s3 = next<F>(s3, a, b);
    s4 = next<F>(s4, a, b); s5 = next<F>(s5, a, b); s6 = next<F>(s6, a, b); s7 = next<F>(s7, a, b);
    s8 = next<F>(s8, a, b); s9 = next<F>(s9, a, b); s10 = next<F>(s10, a, b); s11 = next<F>(s11, a, b);
  }
  v128.store(to, fold(fold(fold(s0, s1, s2), fold(s3, s4, s5), fold(s6, s7, s8)), fold(s9, s10, s11), a));
}

// @ts-ignore: decorator
@inline function fold(a: v128, b: v128, c: v128): v128 { return v128.xor(v128.xor(a, b), c); }

function scalarFloats(to: usize, operands: usize, iterations: i32): void {
  const a = load<f32>(operands), b = load<f32>(operands, 16);
  let s0 = load<f32>(to), s1 = s0 * b + a, s2 = s1 * b + a, s3 = s2 * b + a, s4 = s3 * b + a, s5 = s4 * b + a;
  let s6 = s5 * b + a, s7 = s6 * b + a, s8 = s7 * b + a, s9 = s8 * b + a, s10 = s9 * b + a, s11 = s10 * b + a;
  for (let i = 0; i < iterations; i++) {
    s0 = s0 * a + b; s1 = s1 * a + b; s2 = s2 * a + b; s3 = s3 * a + b; s4 = s4 * a + b; s5 = s5 * a + b;
    s6 = s6 * a + b; s7 = s7 * a + b; s8 = s8 * a + b; s9 = s9 * a + b; s10 = s10 * a + b; s11 = s11 * a + b;
  }
  store<f32>(to, s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
}

/** Six chains, twice: general registers are fewer. */
function scalarIntegers(to: usize, operands: usize, iterations: i32): void {
  const a = load<i32>(operands), b = load<i32>(operands, 16);
  let s0 = load<i32>(to), s1 = s0 * b + a, s2 = s1 * b + a, s3 = s2 * b + a, s4 = s3 * b + a, s5 = s4 * b + a;
  for (let i = 0; i < 2 * iterations; i++) {
    s0 = s0 * a + b; s1 = s1 * a + b; s2 = s2 * a + b; s3 = s3 * a + b; s4 = s4 * a + b; s5 = s5 * a + b;
  }
  store<i32>(to, s0 + s1 + s2 + s3 + s4 + s5);
}

/** Reads items first … end of `bytes` (a multiple of 128) each from `from` on, `passes` times. */
export function probe_read(out: usize, from: usize, bytes: i32, passes: i32, first: i32, end: i32): void {
  for (let item = first; item < end; item++) {
    const to = out + OPERANDS + (<usize>item << 4), start = from + <usize>item * <usize>bytes;
    for (let pass = 0; pass < passes; pass++) {
      if (SIMD) readVectors(to, start, start + bytes);
      else readWords(to, start, start + bytes);
    }
  }
}

function readVectors(to: usize, from: usize, end: usize): void {
  let a = v128.load(to), b = a, c = a, d = a;
  for (; from < end; from += STEP) {
    a = v128.or(a, v128.or(v128.load(from), v128.load(from, 16)));
    b = v128.or(b, v128.or(v128.load(from, 32), v128.load(from, 48)));
    c = v128.or(c, v128.or(v128.load(from, 64), v128.load(from, 80)));
    d = v128.or(d, v128.or(v128.load(from, 96), v128.load(from, 112)));
  }
  v128.store(to, v128.or(v128.or(a, b), v128.or(c, d)));
}

function readWords(to: usize, from: usize, end: usize): void {
  let a = load<u64>(to), b = a;
  for (; from < end; from += STEP) {
    a |= load<u64>(from) | load<u64>(from, 8) | load<u64>(from, 16) | load<u64>(from, 24) | load<u64>(from, 32) | load<u64>(from, 40) | load<u64>(from, 48) | load<u64>(from, 56);
    b |= load<u64>(from, 64) | load<u64>(from, 72) | load<u64>(from, 80) | load<u64>(from, 88) | load<u64>(from, 96) | load<u64>(from, 104) | load<u64>(from, 112) | load<u64>(from, 120);
  }
  store<u64>(to, a | b);
}
