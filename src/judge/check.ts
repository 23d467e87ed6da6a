// What callers of `stonechat/judge` pass, checked at the door.
import { abortSignal, callback, checkRules, flag, refuse, type Rule, show, whole } from '../generate/rules.js';
import type { Token } from '../generate/types.js';
import type { JudgeOptions, Reader } from './reader.js';

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** @throws StonechatError `bad-option` */
export function checkReader(reader: Reader): void {
  const { score, tokenizer, info } = isObject(reader) ? (reader as Partial<Record<keyof Reader, unknown>>) : {};
  const isReader = typeof score === 'function' && isObject(tokenizer) && typeof tokenizer['encode'] === 'function' && isObject(info) && Number.isInteger(info['contextLength']);
  if (!isReader) refuse('a model to judge, as load() gives it', show(reader), 'Write perplexity(await load("model.gguf"), text).');
}

const COMMON: Readonly<Record<keyof JudgeOptions, Rule>> = { signal: abortSignal, onProgress: callback, addSpecial: flag(true), parseSpecial: flag(false) };
const PERPLEXITY: Readonly<Record<string, Rule>> = {
  ...COMMON,
  window: whole(2, Number.MAX_SAFE_INTEGER, "the model's context"),
  stride: whole(1, Number.MAX_SAFE_INTEGER, 'half the window'),
  top: whole(0, Number.MAX_SAFE_INTEGER, 0),
  onToken: callback,
};

export const checkJudging = (what: string, options: JudgeOptions): void => checkRules(what, options, COMMON);
export const checkPerplexity = (options: JudgeOptions): void => checkRules('perplexity()', options, PERPLEXITY);

/** Each of a list, where a list must be. */
export function checkList<T>(what: string, list: readonly T[], accepts: (item: unknown) => boolean, remedy: string): void {
  if (!Array.isArray(list)) refuse(`a list of ${what}`, show(list), remedy);
  const wrong = list.findIndex((item) => !accepts(item));
  if (wrong >= 0) refuse(`a list of ${what}`, `${show(list[wrong])} at place ${wrong}`, remedy);
}

export const isText = (value: unknown): value is string => typeof value === 'string';
export const isPair = (value: unknown): boolean => isObject(value) && isText(value['good']) && isText(value['bad']);

/** A question without choices, or whose answer is none of them, has no right answer. */
export function isQuestion(value: unknown): boolean {
  if (!isObject(value) || !isText(value['prompt'])) return false;
  const { choices, answer } = value;
  return Array.isArray(choices) && choices.length > 0 && choices.every(isText) && Number.isInteger(answer) && (answer as number) >= 0 && (answer as number) < choices.length;
}

const isAlternative = (value: unknown): boolean => isObject(value) && typeof value['logprob'] === 'number';
export const isToken = (value: unknown): boolean =>
  isObject(value) && isText(value['text']) && typeof value['logprob'] === 'number' && Array.isArray(value['top']) && value['top'].every(isAlternative);

export const checkTokens = (tokens: readonly Token[]): void => checkList('tokens', tokens, isToken, 'Collect them from model.score(text, { top: 2 }).');

/** Results of this room given back to it. */
export function checkResult(what: string, value: object, fields: readonly string[]): void {
  const missing = isObject(value) ? fields.find((field) => (value as Record<string, unknown>)[field] === undefined) : 'it';
  if (missing !== undefined) refuse(what, isObject(value) ? `an object without ${missing}` : show(value), 'Pass what a function of stonechat/judge gave.');
}
