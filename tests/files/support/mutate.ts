import type { random } from './random.js';
import { concat } from './safetensors-writer.js';

type Random = ReturnType<typeof random>;

/** Numbers that break careless readers, as 64-bit patterns. */
const SPECIAL: readonly bigint[] = [
  0n, 1n, 2n, 7n, 8n, 31n, 32n, 33n, 127n, 128n, 255n, 256n, 0x7fffn, 0xffffn, 0x10000n, 0x7fffffffn, 0x80000000n, 0xfffffffen, 0xffffffffn,
  0x100000000n, 1n << 40n, 1n << 53n, 1n << 60n, 1n << 61n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 8n, (1n << 64n) - 1n,
];
const JSON_SPECIAL = ['0', '-1', '1e308', '1e999', '9007199254740993', '0.5', 'null', 'true', '""', '"x"', '[]', '{}', '[[[[', '4294967296'];

type Mutation = (bytes: Uint8Array, random: Random, donors: readonly Uint8Array[]) => Uint8Array;

/** A place in the file: most often near the front, where the header is. */
const place = (bytes: Uint8Array, { next }: Random): number => (bytes.length === 0 ? 0 : next(next(3) === 0 ? bytes.length : Math.min(bytes.length, 1 << (3 + next(9)))));

const flipBits: Mutation = (bytes, random) => {
  const out = bytes.slice();
  for (let i = random.next(8); i >= 0; i--) out[place(out, random)]! ^= 1 << random.next(8);
  return out;
};

const setByte: Mutation = (bytes, random) => {
  const out = bytes.slice();
  out[place(out, random)] = random.pick([0, 1, 127, 128, 255, random.next(256)]);
  return out;
};

const truncate: Mutation = (bytes, random) => bytes.slice(0, place(bytes, random));

/** A special value over 4 or 8 bytes, aligned or not. */
const setNumber: Mutation = (bytes, random) => {
  if (bytes.length < 8) return flipBits(bytes, random, []);
  const out = bytes.slice();
  const at = Math.min(random.next(2) ? place(out, random) & ~3 : place(out, random), out.length - 8);
  const view = new DataView(out.buffer);
  if (random.next(2)) view.setBigUint64(at, random.pick(SPECIAL), true);
  else view.setUint32(at, Number(random.pick(SPECIAL) & 0xffffffffn), true);
  return out;
};

const remove: Mutation = (bytes, random) => {
  const at = place(bytes, random);
  return concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.next(64))]);
};

const repeat: Mutation = (bytes, random) => {
  const at = place(bytes, random);
  const end = Math.min(bytes.length, at + 1 + random.next(64));
  return concat([bytes.subarray(0, end), bytes.subarray(at)]);
};

/** A piece of another file over, or between, the bytes. */
const splice: Mutation = (bytes, random, donors) => {
  const donor = random.pick(donors);
  const from = place(donor, random);
  const piece = donor.subarray(from, from + 1 + random.next(200));
  const at = place(bytes, random);
  return concat([bytes.subarray(0, at), piece, bytes.subarray(random.next(2) ? at : at + piece.length)]);
};

/** Replaces a number or a word in text (JSON headers); bytes without digits stay as they are. */
const setText: Mutation = (bytes, random) => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 8192)).toString('latin1');
  const tokens = [...text.matchAll(/-?\d+(\.\d+)?|"\w*"|\[[\d,]*\]/g)];
  if (tokens.length === 0) return flipBits(bytes, random, []);
  const token = random.pick(tokens);
  const value = Buffer.from(random.pick(JSON_SPECIAL));
  return concat([bytes.subarray(0, token.index), value, bytes.subarray(token.index + token[0].length)]);
};

/** setText, with a safetensors header's length put right again, so that the JSON itself is reached. */
const setTextAndLength: Mutation = (bytes, random, donors) => {
  const out = setText(bytes, random, donors);
  if (bytes[8] !== 0x7b) return out;
  const view = new DataView(out.buffer, out.byteOffset);
  if (out.length > 16) view.setBigUint64(0, view.getBigUint64(0, true) + BigInt(out.length - bytes.length), true);
  return out;
};

const MUTATIONS: readonly Mutation[] = [flipBits, flipBits, setByte, truncate, setNumber, setNumber, setNumber, remove, repeat, splice, setText, setTextAndLength, setTextAndLength];

/** A changed copy, by one to three of the mutations. */
export function mutate(bytes: Uint8Array, random: Random, donors: readonly Uint8Array[]): Uint8Array {
  let out = bytes;
  for (let i = random.pick([0, 0, 0, 1, 2]); i >= 0; i--) out = random.pick(MUTATIONS)(out, random, donors);
  return out;
}
