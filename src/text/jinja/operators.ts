import { fail, lacking, limit, spend } from './meter.js';
import { escapeHtml } from './show.js';
import { concat, Str } from './str.js';
import { isNumber, numeric, Tuple, typeName, Undefined, type Value } from './values.js';

/** Bits of an int at most. */
export const MOST_BITS = 1 << 16;

/** What few templates do with values. */
export const rareOperators = {
  percent: lacking as (pattern: Str, values: Value) => Value,
  power: lacking as (a: bigint, b: bigint) => Value,
  /** // % ** and division by 0. */
  ofFloats: lacking as (op: string, a: number, b: number) => Value,
  /** A text, list or tuple times an int, in either order. */
  repeated: lacking as (a: Value, b: Value) => Value | undefined,
};

export const ZERO = 'division by zero';

const bits = (value: bigint): number => value.toString(16).length * 4;

export function bounded(value: bigint): bigint {
  const small = value < 1n << 64n && value > -(1n << 64n);
  if (!small) {
    spend(bits(value) >> 7);
    if (bits(value) > MOST_BITS) throw limit(`an integer of more than ${MOST_BITS} bits`);
  }
  return value;
}

/** // and % as Python has them: the rest has the sign of the divisor. */
export function divideInts(a: bigint, b: bigint): { quotient: bigint; rest: bigint } {
  if (b === 0n) fail('integer division or modulo by zero');
  const rest = a % b;
  const low = rest !== 0n && rest < 0n !== b < 0n;
  return { quotient: a / b - (low ? 1n : 0n), rest: low ? rest + b : rest };
}

function intResult(op: string, a: bigint, b: bigint): Value {
  if (op === '+') return bounded(a + b);
  if (op === '-') return bounded(a - b);
  if (op === '*') return bounded(a * b);
  if (op === '//') return divideInts(a, b).quotient;
  if (op === '%') return divideInts(a, b).rest;
  if (op === '**') return rareOperators.power(a, b);
  return b === 0n ? fail(ZERO) : Number(a) / Number(b);
}

function floatResult(op: string, a: number, b: number): Value {
  if (op === '+') return a + b;
  if (op === '-') return a - b;
  if (op === '*') return a * b;
  return op === '/' && b !== 0 ? a / b : rareOperators.ofFloats(op, a, b);
}

function added(a: Value, b: Value): Value | undefined {
  if (a instanceof Str && b instanceof Str) return a.safe || b.safe ? concat([escapeHtml(a), escapeHtml(b)]).as(true) : concat([a, b]);
  if (Array.isArray(a) && Array.isArray(b)) {
    spend(a.length + b.length);
    return [...a, ...b];
  }
  if (!(a instanceof Tuple && b instanceof Tuple)) return undefined;
  spend(a.items.length + b.items.length);
  return new Tuple([...a.items, ...b.items]);
}

/** + - * / // % ** of any two values. */
export function binary(op: string, a: Value, b: Value): Value {
  spend(1);
  if (op === '%' && a instanceof Str) return rareOperators.percent(a, b);
  if (a instanceof Undefined) return a.fail();
  if (b instanceof Undefined) return b.fail();
  if (isNumber(a) && isNumber(b)) {
    const [left, right] = [numeric(a), numeric(b)];
    return typeof left === 'bigint' && typeof right === 'bigint' ? intResult(op, left, right) : floatResult(op, Number(left), Number(right));
  }
  const result = op === '+' ? added(a, b) : op === '*' ? rareOperators.repeated(a, b) : undefined;
  return result ?? fail(`unsupported operand type(s) for ${op}: '${typeName(a)}' and '${typeName(b)}'`);
}

export function signed(op: string, value: Value): Value {
  if (value instanceof Undefined) return value.fail();
  if (!isNumber(value)) return fail(`bad operand type for unary ${op}: '${typeName(value)}'`);
  const number = numeric(value);
  return op === '-' ? -number : number;
}
