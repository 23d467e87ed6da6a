import { StonechatError } from '../errors.js';
import { didYouMean } from './nearest.js';

/** What an option may be. */
export interface Rule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  /** What leaving it out means, for the remedy. */
  readonly otherwise: string;
}

export const number = (least: number, most: number, otherwise: number | string): Rule => ({
  expected: `a number from ${least} to ${most}`,
  accepts: (value) => typeof value === 'number' && value >= least && value <= most,
  otherwise: String(otherwise),
});

export const whole = (least: number, most: number, otherwise: number | string): Rule => ({
  expected: most === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${least}` : `a whole number from ${least} to ${most}`,
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  otherwise: String(otherwise),
});

export const flag = (otherwise: boolean): Rule => ({ expected: 'true or false', accepts: (value) => typeof value === 'boolean', otherwise: String(otherwise) });

export const isFunction = (value: unknown): boolean => typeof value === 'function';
export const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

export const abortSignal: Rule = {
  expected: 'an AbortSignal',
  accepts: (value) => typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value,
  otherwise: 'none',
};
export const callback: Rule = { expected: 'a function', accepts: isFunction, otherwise: 'none' };

export const oneOf = (...values: readonly string[]): Rule => ({
  expected: values.map((value) => `"${value}"`).join(' or '),
  accepts: (value) => typeof value === 'string' && values.includes(value),
  otherwise: `"${values[0]}"`,
});

/** A value as an error message shows it. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `[${value.slice(0, 4).map((inner) => (Array.isArray(inner) ? '[…]' : show(inner))).join(', ')}${value.length > 4 ? ', …' : ''}]`;
  if (value instanceof Map) return `a Map of ${show(Object.fromEntries([...value].map(([key, inner]) => [Object(key) === key ? '…' : key, inner])))}`;
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value);
  const entries = Object.entries(value).slice(0, 4);
  return `{${entries.map(([key, inner]) => `${key}: ${typeof inner === 'object' ? '…' : show(inner)}`).join(', ')}}`;
}

export function refuse(expected: string, found: string, remedy: string): never {
  throw new StonechatError({ code: 'bad-option', expected, found, remedy });
}

/**
 * Checks each option of a call (`what`) against its rule; undefined is as good as left out.
 * @throws StonechatError `bad-option` for the first that is unknown, of the wrong type or out of range.
 */
export function checkRules(what: string, options: object, rules: Readonly<Record<string, Rule>>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) refuse(`an object of options of ${what}`, show(options), 'Write { name: value }.');
  const names = Object.keys(rules);
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule) refuse(`options of ${what}`, name, didYouMean(name, names).trim() || `There are ${names.join(', ')}.`);
    if (value === undefined || rule.accepts(value)) continue;
    refuse(`${name} to be ${rule.expected}`, show(value), `Leave it out for ${rule.otherwise}.`);
  }
}
