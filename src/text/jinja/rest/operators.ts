import { fail, limit, spend } from '../meter.js';
import { bounded, MOST_BITS, ZERO } from '../operators.js';
import { repeated as repeatedText, Str } from '../str.js';
import { Tuple, type Value } from '../values.js';

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

export function powerOfInts(a: bigint, b: bigint): Value {
  if (b < 0n) return a === 0n ? fail('0.0 cannot be raised to a negative power') : Number(a) ** Number(b);
  if (a > 1n || a < -1n) if (BigInt((a < 0n ? -a : a).toString(2).length - 1) * b > MOST_BITS) throw limit(`an integer of more than ${MOST_BITS} bits`);
  return bounded(a ** b);
}

export function ofFloats(op: string, a: number, b: number): Value {
  if (op === '//') return divideFloats(a, b).quotient;
  if (op === '%') return divideFloats(a, b).rest;
  if (op === '/') return fail(ZERO);
  if (a === 0 && b < 0) fail('0.0 cannot be raised to a negative power');
  if (a < 0 && Number.isFinite(a) && Number.isFinite(b) && !Number.isInteger(b)) fail('complex numbers are not supported');
  const result = a === 1 || b === 0 ? 1 : a ** b;
  return Number.isFinite(a) && Number.isFinite(b) && !Number.isFinite(result) ? fail('Numerical result out of range') : result;
}

function multiplied(a: Value, times: Value): Value | undefined {
  if (typeof times !== 'bigint' && typeof times !== 'boolean') return undefined;
  const count = Math.max(0, Number(times));
  if (a instanceof Str) return repeatedText(a, count);
  const items = Array.isArray(a) ? a : a instanceof Tuple ? a.items : undefined;
  if (!items) return undefined;
  spend(items.length * count);
  const repeat = Array.from({ length: items.length * count }, (_, i) => items[i % items.length]!);
  return a instanceof Tuple ? new Tuple(repeat) : repeat;
}

export const repeated = (a: Value, b: Value): Value | undefined => multiplied(a, b) ?? multiplied(b, a);
