import { fail, limit, spend } from './meter.js';
import { concat, repeated, Str } from './str.js';
import { percent } from './format.js';
import { escapeHtml } from './show.js';
import { isNumber, numeric, Tuple, typeName, Undefined, type Value } from './values.js';

/** Bits of an int at most. */
const MOST_BITS = 1 << 16;

const ZERO = 'division by zero';

function divideInts(a: bigint, b: bigint): { quotient: bigint; rest: bigint } {
  if (b === 0n) fail('integer division or modulo by zero');
  const rest = a % b;
  const low = rest !== 0n && rest < 0n !== b < 0n;
  return { quotient: a / b - (low ? 1n : 0n), rest: low ? rest + b : rest };
}

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

/** The float nearest to an int or to what a text says; undefined if it says none. */
export function toFloat(value: Value): number | undefined {
  if (isNumber(value)) {
    const number = Number(numeric(value));
    if (typeof value === 'bigint' && !Number.isFinite(number)) fail('int too large to convert to float');
    return number;
  }
  if (value instanceof Undefined) return value.fail();
  if (!(value instanceof Str)) return undefined;
  const written = trimmed(value.s);
  const special = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(written);
  if (special) return /nan/i.test(special[2]!) ? NaN : special[1] === '-' ? -Infinity : Infinity;
  return /^[+-]?(\d+(_\d+)*(\.(\d+(_\d+)*)?)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?$/i.test(written) ? Number(written.replaceAll('_', '')) : undefined;
}

const trimmed = (text: string): string => text.trim();

/** int() of a text; undefined if it is none. */
export function parseInteger(text: string, base: number): bigint | undefined {
  const found = /^([+-]?)(0[xob])?_?([0-9a-z]+(?:_[0-9a-z]+)*)$/i.exec(trimmed(text));
  if (!found) return undefined;
  const [, sign, prefix, digits] = found as unknown as [string, string, string | undefined, string];
  const named = prefix && { x: 16, o: 8, b: 2 }[prefix[1]!.toLowerCase() as 'x'];
  if (base === 0 && !prefix && /^0+[1-9]/.test(digits)) return undefined;
  const radix = base || named || 10;
  const written = named === radix ? digits : (prefix ?? '') + digits;
  let result = 0n;
  if (written.length > 4300) return undefined;
  for (const char of written.replaceAll('_', '')) {
    const digit = Number.parseInt(char, 36);
    if (Number.isNaN(digit) || digit >= radix) return undefined;
    result = result * BigInt(radix) + BigInt(digit);
  }
  return sign === '-' ? -result : result;
}

/** `value` with so many decimals, rounded half to even as its exact binary value says. */
export function fixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf';
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const raw = view.getBigUint64(0);
  const exponent = Number((raw >> 52n) & 0x7ffn);
  const mantissa = (raw & 0xfffffffffffffn) | (exponent ? 1n << 52n : 0n);
  const power = Math.max(exponent, 1) - 1075;
  let scaled = mantissa * 10n ** BigInt(decimals);
  if (power >= 0) scaled <<= BigInt(power);
  else {
    const unit = 1n << BigInt(-power);
    const rest = (scaled % unit) * 2n;
    scaled /= unit;
    if (rest > unit || (rest === unit && scaled & 1n)) scaled += 1n;
  }
  const digits = String(scaled).padStart(decimals + 1, '0');
  const at = digits.length - decimals;
  return `${raw >> 63n ? '-' : ''}${digits.slice(0, at)}${decimals ? `.${digits.slice(at)}` : ''}`;
}

/** round(value, digits): ints stay ints. */
export function rounded(value: Value, digits: number): Value {
  if (!isNumber(value)) return fail(`type ${typeName(value)} doesn't define __round__ method`);
  const number = numeric(value);
  if (typeof number === 'bigint') return digits >= 0 ? number : roundedInt(number, 10n ** BigInt(Math.min(-digits, 400)));
  if (!Number.isFinite(number) || digits > 320) return number;
  if (digits >= 0) return Number(fixed(number, digits));
  const unit = 10 ** Math.min(-digits, 320);
  return Number.isFinite(unit) ? Number(roundedInt(BigInt(Math.round(number)), BigInt(unit))) : number * 0;
}

function roundedInt(value: bigint, unit: bigint): bigint {
  const { quotient, rest } = divideInts(value, unit);
  const up = rest * 2n > unit || (rest * 2n === unit && quotient & 1n);
  return (quotient + (up ? 1n : 0n)) * unit;
}
