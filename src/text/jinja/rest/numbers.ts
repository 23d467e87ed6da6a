import { fail } from '../meter.js';
import { divideInts } from '../operators.js';
import { Str } from '../str.js';
import { isNumber, numeric, typeName, Undefined, type Value } from '../values.js';

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
  return Number.isFinite(unit) ? Number(roundedInt(BigInt(Math.round(number)), BigInt(unit))) : 0;
}

function roundedInt(value: bigint, unit: bigint): bigint {
  const { quotient, rest } = divideInts(value, unit);
  const up = rest * 2n > unit || (rest * 2n === unit && quotient & 1n);
  return (quotient + (up ? 1n : 0n)) * unit;
}
