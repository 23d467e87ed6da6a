import type { SamplingOptions } from '../sample/index.js';
import type { Constraint, MoreOptions } from '../sample/types.js';
import { randomSeed } from '../sample/random.js';
import { abortSignal, callback, checkRules, flag, isFunction, isText, number, oneOf, refuse, type Rule, SAMPLER_RULES, show, USUAL, whole } from './rules.js';
import type { AppendOptions, GenerateOptions, LogitsOptions } from './types.js';

/** GenerateOptions, checked and complete. */
export interface Settings extends SamplingOptions {
  readonly constraint: Constraint | undefined;
  /** Undefined where no sampler is on that few ask for. */
  readonly more: MoreOptions | undefined;
  /** Undefined: as many as fit. */
  readonly maxTokens: number | undefined;
  readonly seed: bigint;
  readonly stop: readonly string[];
  readonly stopIds: ReadonlySet<number>;
  readonly ignoreEos: boolean;
  readonly reusePrefix: boolean;
  readonly overflow: 'error' | 'slide';
  readonly top: number;
  readonly hashLogits: boolean;
  readonly addSpecial: boolean;
  readonly parseSpecial: boolean | undefined;
  /** Whether a conversation ends with the opening of the assistant's turn: unless false. */
  readonly openTurn?: boolean;
  readonly contents: 'text' | 'special';
  readonly signal: AbortSignal | undefined;
  readonly onProgress: GenerateOptions['onProgress'];
}

const MOST_SEED = (1n << 64n) - 1n;

const isConstraint = (value: unknown): boolean => {
  const { mask, accept, fork, done } = Object(value) as Constraint;
  return [mask, accept, fork].every(isFunction) && typeof done === 'boolean';
};

/** A copy of what the caller gave, for one generation. @throws StonechatError `bad-option` unless it is a constraint too. */
export function forked(constraint: Constraint | undefined): Constraint | undefined {
  const copy: unknown = constraint?.fork();
  if (!constraint || isConstraint(copy)) return copy as Constraint | undefined;
  return refuse('constraint.fork() to return a constraint', show(copy), 'Let it return a copy with the same state.');
}

export const isId = (vocabulary: number) => (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < vocabulary;

function biasEntries(value: unknown): [number, unknown][] | undefined {
  if (value instanceof Map) return [...value] as [number, unknown][];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.entries(value).map(([id, bias]) => [id.trim() === '' ? NaN : Number(id), bias]);
}

function rulesFor(vocabulary: number): Record<keyof GenerateOptions, Rule> {
  const someId = isId(vocabulary);
  const isBias = (value: unknown) => typeof value === 'number' && (Number.isFinite(Math.fround(value)) || value === -Infinity);
  return {
    maxTokens: whole(0, Number.MAX_SAFE_INTEGER, 'as many as fit'),
    temperature: number(0, 100, DEFAULTS.temperature),
    topK: whole(0, Number.MAX_SAFE_INTEGER, 'all tokens'),
    topP: number(0, 1, 1),
    minP: number(0, 1, 0),
    typicalP: number(0, 1, 1),
    repetitionPenalty: number(0.01, 100, 1),
    presencePenalty: number(-100, 100, 0),
    frequencyPenalty: number(-100, 100, 0),
    penaltyWindow: whole(-1, Number.MAX_SAFE_INTEGER, DEFAULTS.penaltyWindow),
    logitBias: {
      expected: `an object or Map from token ids (0 to ${vocabulary - 1}) to finite numbers (of 32 bits) or -Infinity`,
      accepts: (value) => biasEntries(value)?.every(([id, bias]) => someId(id) && isBias(bias)) ?? false,
      otherwise: 'no bias',
    },
    ...SAMPLER_RULES,
    constraint: { expected: 'an object with mask(), accept(), fork() and done', accepts: isConstraint, otherwise: 'none' },
    samplers: {
      expected: 'a list of functions',
      accepts: (value) => Array.isArray(value) && value.every(isFunction),
      otherwise: 'none',
    },
    seed: {
      expected: 'a whole number from 0 to 2^53 - 1, or a bigint below 2^64',
      accepts: (value) => (typeof value === 'bigint' ? value >= 0n && value <= MOST_SEED : Number.isSafeInteger(value) && (value as number) >= 0),
      otherwise: 'a random one',
    },
    stop: { expected: 'a text or a list of texts, none empty', accepts: (value) => (Array.isArray(value) ? value.every(isText) : isText(value)), otherwise: 'none' },
    stopIds: { expected: `a list of token ids from 0 to ${vocabulary - 1}`, accepts: (value) => Array.isArray(value) && value.every(someId), otherwise: "the model's own" },
    ignoreEos: flag(false),
    reusePrefix: flag(true),
    overflow: { expected: '"error" or "slide"', accepts: (value) => value === 'error' || value === 'slide', otherwise: '"error"' },
    top: whole(0, vocabulary, DEFAULTS.top),
    hashLogits: flag(false),
    addSpecial: flag(true),
    parseSpecial: flag(false),
    contents: oneOf('text', 'special'),
    signal: abortSignal,
    onProgress: callback,
  };
}

const DEFAULTS = { temperature: 0.8, penaltyWindow: 64, top: 5 } as const;

/** Each turns a sampler on that few ask for. */
const SWITCHES = ['dryMultiplier', 'topNSigma', 'dynatempRange', 'xtcProbability', 'mirostat'] as const;

function moreOptions(options: GenerateOptions): MoreOptions | undefined {
  const given = Object.entries(USUAL).map(([name, usual]) => [name, options[name as keyof MoreOptions] ?? usual]);
  const more = Object.fromEntries(given) as MoreOptions;
  return SWITCHES.some((name) => more[name] > 0) ? more : undefined;
}

/** Samplers that would cut or change what mirostat measures; llama.cpp leaves them out without a word. */
const NOT_WITH_MIROSTAT: readonly (keyof GenerateOptions)[] = [
  ...SWITCHES.slice(0, 4), 'topK', 'topP', 'minP', 'typicalP', 'repetitionPenalty', 'presencePenalty', 'frequencyPenalty',
];

function checkTogether(options: GenerateOptions): void {
  const other = options.mirostat ? NOT_WITH_MIROSTAT.find((name) => options[name] !== undefined) : undefined;
  if (!other) return;
  refuse('mirostat beside temperature and logitBias only', `both mirostat and ${other}`, `Leave ${other} out.`);
}

/**
 * Checks options and fills in what is left out.
 * @throws StonechatError `bad-option`, one for the first option that is unknown, of the wrong type, out of range, or in
 *   contradiction to another.
 */
export function checkOptions(options: GenerateOptions = {}, vocabulary: number): Settings {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    refuse('an object of options', show(options), 'Write generate(prompt, { maxTokens: 100 }).');
  }
  checkRules('generate()', options, rulesFor(vocabulary));
  checkTogether(options);
  const { seed, stop = [] } = options;
  return {
    maxTokens: options.maxTokens,
    temperature: options.temperature ?? (options.samplers ? 1 : DEFAULTS.temperature),
    topK: options.topK ?? 0,
    topP: options.topP ?? 1,
    minP: options.minP ?? 0,
    typicalP: options.typicalP ?? 1,
    repetitionPenalty: options.repetitionPenalty ?? 1,
    presencePenalty: options.presencePenalty ?? 0,
    frequencyPenalty: options.frequencyPenalty ?? 0,
    penaltyWindow: options.penaltyWindow ?? DEFAULTS.penaltyWindow,
    logitBias: new Map(biasEntries(options.logitBias ?? {}) as [number, number][]),
    samplers: options.samplers,
    more: moreOptions(options),
    constraint: options.constraint,
    seed: seed === undefined ? randomSeed() : BigInt(seed),
    stop: typeof stop === 'string' ? [stop] : [...stop],
    stopIds: new Set(options.stopIds),
    ignoreEos: options.ignoreEos ?? false,
    reusePrefix: options.reusePrefix ?? true,
    overflow: options.overflow ?? 'error',
    top: options.top ?? Math.min(DEFAULTS.top, vocabulary),
    hashLogits: options.hashLogits ?? false,
    addSpecial: options.addSpecial ?? true,
    parseSpecial: options.parseSpecial,
    contents: options.contents ?? 'text',
    signal: options.signal,
    onProgress: options.onProgress,
  };
}

/** Options of those who only read a prompt. */
export const READING = ['signal', 'addSpecial', 'parseSpecial', 'contents'] as const;

/** Rules of some of the options of generate(). */
export const among = <Name extends keyof GenerateOptions>(vocabulary: number, names: readonly Name[]) => {
  const rules = rulesFor(vocabulary);
  return Object.fromEntries(names.map((name) => [name, rules[name]])) as Record<Name, Rule>;
};

/** @throws StonechatError `bad-option` */
export function checkAppendOptions(options: AppendOptions = {}, vocabulary: number): AppendOptions {
  checkRules('append()', options, among(vocabulary, [...READING, 'onProgress']));
  return options;
}

/** @throws StonechatError `bad-option` for what cannot be a saved session. */
export function checkSaved(saved: unknown): asserts saved is Uint8Array {
  if (saved instanceof Uint8Array) return;
  refuse('a Uint8Array, as session.save() gives it', show(saved), 'Read the file into a Uint8Array.');
}

/** @throws StonechatError `bad-option` */
export function checkLogitsOptions(options: LogitsOptions = {}, vocabulary: number): Settings {
  checkRules('logits()', options, among(vocabulary, READING));
  return checkOptions(options, vocabulary);
}
