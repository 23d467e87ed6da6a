import { percent } from './format.js';
import { fail, limit, spend } from './meter.js';
import { divideInts } from './numbers.js';
import { escapeHtml } from './show.js';
import { concat, repeated, Str } from './str.js';
import { isNumber, numeric, Tuple, typeName, Undefined, type Value } from './values.js';

/** Bits of an int at most. */
const MOST_BITS = 1 << 16;

const ZERO = 'division by zero';

function divideFloats(a: number, b: number): { quotient: number; rest: number } {
  if (b === 0) fail('float floor division by zero');
  let rest = a % b;
  let quotient = (a - rest) / b;
  if (rest !== 0 && b < 0 !== rest < 0) {
    rest += b;
    quotient -= 1;
  } else if (rest === 0) rest = b < 0 ? -0 : 0;
  const whole = Math.floor(quotient);
  return { quotient: quotient - whole > 0.5 ? whole + 1 : whole, rest };
}

const bits = (value: bigint): number => value.toString(16).length * 4;

function bounded(value: bigint): bigint {
  const small = value < 1n << 64n && value > -(1n << 64n);
  if (!small) {
    spend(bits(value) >> 7);
    if (bits(value) > MOST_BITS) throw limit(`an integer of more than ${MOST_BITS} bits`);
  }
  return value;
}

function powerOfInts(a: bigint, b: bigint): Value {
  if (b < 0n) return a === 0n ? fail('0.0 cannot be raised to a negative power') : Number(a) ** Number(b);
  if (a > 1n || a < -1n) if (BigInt((a < 0n ? -a : a).toString(2).length - 1) * b > MOST_BITS) throw limit(`an integer of more than ${MOST_BITS} bits`);
  return bounded(a ** b);
}

function intResult(op: string, a: bigint, b: bigint): Value {
  if (op === '+') return bounded(a + b);
  if (op === '-') return bounded(a - b);
  if (op === '*') return bounded(a * b);
  if (op === '//') return divideInts(a, b).quotient;
  if (op === '%') return divideInts(a, b).rest;
  if (op === '**') return powerOfInts(a, b);
  return b === 0n ? fail(ZERO) : Number(a) / Number(b);
}

function floatResult(op: string, a: number, b: number): Value {
  if (op === '+') return a + b;
  if (op === '-') return a - b;
  if (op === '*') return a * b;
  if (op === '//') return divideFloats(a, b).quotient;
  if (op === '%') return divideFloats(a, b).rest;
  if (op === '/') return b === 0 ? fail(ZERO) : a / b;
  if (a === 0 && b < 0) fail('0.0 cannot be raised to a negative power');
  if (a < 0 && Number.isFinite(a) && Number.isFinite(b) && !Number.isInteger(b)) fail('complex numbers are not supported');
  const result = a === 1 || b === 0 ? 1 : a ** b;
  return Number.isFinite(a) && Number.isFinite(b) && !Number.isFinite(result) ? fail('Numerical result out of range') : result;
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

function multiplied(a: Value, times: Value): Value | undefined {
  if (typeof times !== 'bigint' && typeof times !== 'boolean') return undefined;
  const count = Math.max(0, Number(times));
  if (a instanceof Str) return repeated(a, count);
  const items = Array.isArray(a) ? a : a instanceof Tuple ? a.items : undefined;
  if (!items) return undefined;
  spend(items.length * count);
  const repeat = Array.from({ length: items.length * count }, (_, i) => items[i % items.length]!);
  return a instanceof Tuple ? new Tuple(repeat) : repeat;
}

/** + - * / // % ** of any two values. */
export function binary(op: string, a: Value, b: Value): Value {
  spend(1);
  if (op === '%' && a instanceof Str) return percent(a, b);
  if (a instanceof Undefined) return a.fail();
  if (b instanceof Undefined) return b.fail();
  if (isNumber(a) && isNumber(b)) {
    const [left, right] = [numeric(a), numeric(b)];
    return typeof left === 'bigint' && typeof right === 'bigint' ? intResult(op, left, right) : floatResult(op, Number(left), Number(right));
  }
  const result = op === '+' ? added(a, b) : op === '*' ? (multiplied(a, b) ?? multiplied(b, a)) : undefined;
  return result ?? fail(`unsupported operand type(s) for ${op}: '${typeName(a)}' and '${typeName(b)}'`);
}

export function signed(op: string, value: Value): Value {
  if (value instanceof Undefined) return value.fail();
  if (!isNumber(value)) return fail(`bad operand type for unary ${op}: '${typeName(value)}'`);
  const number = numeric(value);
  return op === '-' ? -number : number;
}

