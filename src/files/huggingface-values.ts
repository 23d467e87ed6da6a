import { badFile, show, unsupported } from './refuse.js';

/** A parsed config.json. */
export type Config = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Config => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A number; `fallback` where there is none, or null. @throws StonechatError `bad-file`. */
export function real(config: Config, key: string, fallback?: number): number {
  const value = config[key] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw badFile(`a number ${key} in config.json`, show(value), 'Use the config.json that belongs to the model.');
}

export function size(config: Config, key: string, fallback?: number): number {
  const value = real(config, key, fallback);
  if (Number.isInteger(value) && value >= 1 && value < 2 ** 31) return value;
  throw badFile(`a whole number ${key} in config.json`, show(value), 'Use the config.json that belongs to the model.');
}

/** Settings that would change the computation in a way that is not implemented must have their usual value. */
export function insist(config: Config, key: string, usual: readonly unknown[]): void {
  const value = config[key];
  if (value === undefined || value === null || usual.includes(value)) return;
  const expected = usual.length ? `${key} ${usual.join(' or ')} in config.json` : `no ${key} in config.json`;
  throw unsupported(expected, show(value), 'This variant of the architecture is not implemented; use another model.');
}
