import { StonechatError } from '../errors.js';

/** Typed access to parsed JSON: every getter either gives what was asked for or throws `bad-file` with the path. */
export class Json {
  constructor(private readonly value: unknown, private readonly path: string) {}

  static parse(text: string, path: string): Json {
    try {
      return new Json(JSON.parse(text), path);
    } catch (cause) {
      throw new StonechatError({ code: 'bad-file', expected: `JSON in ${path}`, found: String((cause as Error).message), remedy: 'The file is damaged; download it again.', cause });
    }
  }

  get exists(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  get(key: string): Json {
    const value = typeof this.value === 'object' && this.value !== null && Object.hasOwn(this.value, key) ? (this.value as Record<string, unknown>)[key] : undefined;
    return new Json(value, `${this.path}.${key}`);
  }

  isText(): boolean {
    return typeof this.value === 'string';
  }

  isList(): boolean {
    return Array.isArray(this.value);
  }

  text(otherwise?: string): string {
    if (typeof this.value === 'string') return this.value;
    if (!this.exists && otherwise !== undefined) return otherwise;
    throw this.wrong('text');
  }

  flag(otherwise: boolean): boolean {
    if (typeof this.value === 'boolean') return this.value;
    if (!this.exists) return otherwise;
    throw this.wrong('true or false');
  }

  number(otherwise?: number): number {
    if (typeof this.value === 'number') return this.value;
    if (!this.exists && otherwise !== undefined) return otherwise;
    throw this.wrong('a number');
  }

  /** A whole number from 0 to `most`. */
  id(most = 1 << 22): number {
    const value = this.number();
    if (Number.isInteger(value) && value >= 0 && value <= most) return value;
    throw this.wrong(`a whole number from 0 to ${most}`);
  }

  /** Missing is empty. */
  list(): Json[] {
    if (!this.exists) return [];
    if (!Array.isArray(this.value)) throw this.wrong('a list');
    return this.value.map((item, i) => new Json(item, `${this.path}[${i}]`));
  }

  /** The list itself, for those that are long; elements unchecked. */
  rawList(): readonly unknown[] {
    if (!Array.isArray(this.value)) throw this.wrong('a list');
    return this.value as readonly unknown[];
  }

  rawEntries(): [string, unknown][] {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value)) throw this.wrong('an object');
    return Object.entries(this.value);
  }

  wrong(expected: string): StonechatError {
    const found = this.value === undefined ? 'nothing' : (JSON.stringify(this.value) ?? 'nothing').slice(0, 80);
    return new StonechatError({ code: 'bad-file', expected: `${expected} at ${this.path}`, found, remedy: 'The file is damaged or of another kind; download it again.' });
  }

  unsupported(expected: string): StonechatError {
    const found = JSON.stringify(this.value)?.slice(0, 80) ?? 'nothing';
    return new StonechatError({ code: 'unsupported', expected: `${expected} at ${this.path}`, found, remedy: 'Use the GGUF form of this model, or report its tokenizer.' });
  }
}
