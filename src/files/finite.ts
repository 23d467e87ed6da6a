import { LAYOUTS } from './dtypes.js';
import { badFile, badOption } from './refuse.js';
import type { DType } from './types.js';

/** Largest half. */
const HALF = 65504;
/** The largest magnitude that a type which is written can hold: its largest scale times its largest code. */
const LARGEST: Readonly<Partial<Record<DType, number>>> = {
  f32: Infinity, f16: 65520, bf16: 3.39e38, q8_0: 127 * HALF, q4_0: 8 * HALF, q4_1: 16 * HALF, q5_0: 16 * HALF, q5_1: 32 * HALF,
  q4_K: 63 * 15 * HALF, q5_K: 63 * 31 * HALF, q6_K: 128 * 32 * HALF,
};

const damaged = (name: string) => badFile(`finite weights in tensor ${name}`, 'NaN or infinity', 'The model is damaged, or its training diverged: use an earlier checkpoint.');

const tooLarge = (name: string, type: DType, largest: number) =>
  badOption(
    `weights that ${type} can hold in tensor ${name}`, largest > 0 ? `one of magnitude ${Number(largest.toPrecision(4))}` : 'larger ones',
    'Choose a type of a wider range (bf16, f32), or look for what made them so large.',
  );

const largestOf = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Before values become blocks of a type. @throws StonechatError `bad-file` for NaN and infinities, `bad-option` beyond the type's range. */
export function checkValues(name: string, type: DType, values: Float32Array): void {
  const most = LARGEST[type]!;
  for (let i = 0; i < values.length; i++) {
    if (Math.abs(values[i]!) < most) continue;
    throw Number.isFinite(values[i]) ? tooLarge(name, type, largestOf(values)) : damaged(name);
  }
}

/** After that: a scale may round to infinity. `values`: what the blocks were made of. @throws StonechatError `bad-option`. */
export function checkEncoded(name: string, type: DType, bytes: Uint8Array, values: Float32Array): void {
  if (!isFiniteIn(type, bytes, 0)) throw tooLarge(name, type, largestOf(values));
}

/** Bytes of a tensor as they are, from `offset` on. @throws StonechatError `bad-file` for NaN and infinities. */
export function checkBytes(name: string, type: DType, bytes: Uint8Array, offset: number): void {
  if (!isFiniteIn(type, bytes, offset)) throw damaged(name);
}

/** Whether there is no NaN and no infinity among bytes that begin at `offset` of a tensor. */
function isFiniteIn(type: DType, bytes: Uint8Array, offset: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === 'f32') return all(view, 0, 4, 4, (at) => (view.getUint32(at, true) & 0x7f800000) !== 0x7f800000);
  if (type === 'bf16') return all(view, 0, 2, 2, (at) => (view.getUint16(at, true) & 0x7f80) !== 0x7f80);
  const { bytes: size, halves = [] } = LAYOUTS[type];
  const isHalf = (at: number) => (view.getUint16(at, true) & 0x7c00) !== 0x7c00;
  return halves.every((half) => all(view, (half + size - (offset % size)) % size, size, 2, isHalf));
}

/** All numbers that lie whole in the view, from `first` on. */
function all(view: DataView, first: number, step: number, width: number, holds: (at: number) => boolean): boolean {
  for (let at = first; at + width <= view.byteLength; at += step) if (!holds(at)) return false;
  return true;
}
