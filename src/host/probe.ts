/**
 * A module that computes in every way that a compiler may find an instruction's operands: in a register that is needed again
 * (`held`), fresh from memory (`loaded`), or just computed and needed no more (`computed`). Compilers err by way: V8's baseline
 * one, on x86 without AVX, overwrote the first operand of a relaxed dot where it was needed no more.
 */
export type Operation = 'dot16' | 'dot32' | 'madd' | 'add' | 'mul';
type Way = 'held' | 'loaded' | 'computed';

const WAYS: readonly Way[] = ['held', 'loaded', 'computed'];
/** Opcode behind the SIMD prefix, and the operands' places: bytes in vectors 0 and 1, i32 in 2, f32 in 3 to 5. */
const OPERATIONS: Readonly<Record<Operation, { code: number; operands: readonly number[] }>> = {
  dot16: { code: 0x112, operands: [0, 1] }, // i16x8.relaxed_dot_i8x16_i7x16_s
  dot32: { code: 0x113, operands: [0, 1, 2] }, // i32x4.relaxed_dot_i8x16_i7x16_add_s
  madd: { code: 0x105, operands: [3, 4, 5] }, // f32x4.relaxed_madd
  add: { code: 0xe4, operands: [3, 4] },
  mul: { code: 0xe6, operands: [3, 4] },
};
const OPERANDS = 6;

export interface Case {
  readonly operation: Operation;
  readonly ways: readonly Way[];
}

const waysOf = (count: number): Way[][] =>
  count === 0 ? [[]] : waysOf(count - 1).flatMap((ways) => WAYS.map((way) => ways.concat(way)));

/** Each operation in all its ways, in the order of the results. */
export const casesOf = (...operations: Operation[]): Case[] =>
  operations.flatMap((operation) => waysOf(OPERATIONS[operation].operands.length).map((ways) => ({ operation, ways })));

/** A number in groups of seven bits. */
const leb = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >> 7)]);
const ZERO = [0x41, 0];
const simd = (code: number): number[] => [0xfd, ...leb(code)];
/** Local 0 counts the rounds. */
const held = (vector: number): number[] => [0x20, vector + 1];
const load = (vector: number): number[] => [...ZERO, ...simd(0), 4, ...leb(16 * vector)];

const OPERAND: Readonly<Record<Way, (vector: number) => number[]>> = {
  held,
  loaded: load,
  computed: (vector) => [...held(vector), ...held(vector), ...simd(0x50)], // v128.or
};

function caseCode({ operation, ways }: Case, index: number): number[] {
  const { code, operands } = OPERATIONS[operation];
  const found = operands.flatMap((vector, i) => OPERAND[ways[i]!](vector));
  return [...ZERO, ...found, ...simd(code), ...simd(11), 4, ...leb(16 * (OPERANDS + index))]; // v128.store
}

const sized = (body: readonly number[]): number[] => [...leb(body.length), ...body];

/** `p(rounds)` reads the operands at the start of the memory `m` and writes the cases' results behind them, that often. */
export function probeModule(cases: readonly Case[]): Uint8Array<ArrayBuffer> {
  const vectors = Array.from({ length: OPERANDS }, (_, vector) => [...load(vector), 0x21, vector + 1]).flat();
  const round = [...cases.flatMap(caseCode), 0x20, 0, 0x41, 0x7f, 0x6a, 0x22, 0, 0x0d, 0]; // again if rounds += -1
  const body = [1, OPERANDS, 0x7b, ...vectors, 3, 0x40, ...round, 0x0b, 0x0b];
  const section = (id: number, ...content: number[]) => [id, ...sized(content)];
  return Uint8Array.of(
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // magic, version
    ...section(1, 1, 0x60, 1, 0x7f, 0), // type 0: (i32) -> ()
    ...section(3, 1, 0),
    ...section(5, 1, 0, 1), // one page of memory
    ...section(7, 2, 1, 0x70, 0, 0, 1, 0x6d, 2, 0), // exports p, m
    ...section(10, 1, ...sized(body)),
  );
}

/** One vector for each place. */
export type Operands = readonly (Uint8Array | Int16Array | Int32Array | Float32Array)[];

/** Compiles a probe of these cases: gives the results of all for some operands, computed `rounds` times. */
export function openProbe(cases: readonly Case[]): (operands: Operands, rounds?: number) => Int32Array {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(probeModule(cases)));
  const { p, m } = exports as unknown as { p: (rounds: number) => void; m: WebAssembly.Memory };
  const memory = new Uint8Array(m.buffer);
  return (operands, rounds = 1) => {
    operands.forEach(({ buffer }, vector) => memory.set(new Uint8Array(buffer), 16 * vector));
    p(rounds);
    return new Int32Array(m.buffer.slice(16 * OPERANDS, 16 * (OPERANDS + cases.length)));
  };
}
