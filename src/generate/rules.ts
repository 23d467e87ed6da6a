import { StonechatError } from '../errors.js';
import type { MoreOptions } from '../sample/types.js';
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
/** llama.cpp looks at 40 bytes. */
const isBreaker = (value: unknown): boolean => isText(value) && new TextEncoder().encode(value as string).length <= 40;

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

type Ranged = Exclude<keyof MoreOptions, 'mirostat' | 'drySequenceBreakers'>;
const ANY = Number.MAX_SAFE_INTEGER;
/** Least, most, what llama.cpp takes where they are left out, and whether they are whole numbers. */
const RANGES: Readonly<Record<Ranged, readonly [number, number, number, boolean?]>> = {
  dryMultiplier: [0, 100, 0],
  dryBase: [1, 100, 1.75],
  dryAllowedLength: [0, ANY, 2, true],
  dryPenaltyLastN: [-1, ANY, 64, true],
  topNSigma: [-1, 1000, 0],
  dynatempRange: [0, 100, 0],
  dynatempExponent: [0, 100, 1],
  xtcProbability: [0, 1, 0],
  xtcThreshold: [0, 1, 0.1],
  mirostatTau: [0, 100, 5],
  mirostatEta: [0, 100, 0.1],
};
const eachOf = <Out>(make: (range: (typeof RANGES)[Ranged]) => Out): Record<Ranged, Out> =>
  Object.fromEntries(Object.entries(RANGES).map(([name, range]) => [name, make(range)])) as Record<Ranged, Out>;

/** Options of samplers that few ask for, where they are left out. */
export const USUAL: MoreOptions = { ...eachOf(([, , usual]) => usual), mirostat: 0, drySequenceBreakers: ['\n', ':', '"', '*'] };

/** Of those options; `stonechat/samplers` checks by them too. */
export const SAMPLER_RULES: Readonly<Record<keyof MoreOptions, Rule>> = {
  ...eachOf(([least, most, usual, isWhole]) => (isWhole ? whole : number)(least, most, usual)),
  mirostat: { expected: '0 (off) or 2', accepts: (value) => value === 0 || value === 2, otherwise: '0' },
  drySequenceBreakers: {
    expected: 'a list of texts, none empty or longer than 40 bytes',
    accepts: (value) => Array.isArray(value) && value.every(isBreaker),
    otherwise: JSON.stringify(USUAL.drySequenceBreakers),
  },
};

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
