import { parseArgs } from 'node:util';
import { didYouMean } from '../../generate/nearest.js';
import type { OptionSpec } from './options.js';
import { usage } from './usage.js';

/** What was given on the command line for the options of one command. */
export class Arguments {
  constructor(
    private readonly given: ReadonlyMap<string, readonly string[]>,
    readonly positionals: readonly string[],
  ) {}

  has(name: string): boolean {
    return this.given.has(name);
  }

  text(name: string): string | undefined {
    return this.given.get(name)?.at(-1);
  }

  /** A text in which `\n` is a line break. */
  escaped(name: string): string | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : unescape(text);
  }

  texts(name: string): readonly string[] {
    return this.given.get(name) ?? [];
  }

  /** @throws StonechatError `bad-option` */
  number(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : toNumber(text, `--${name}`);
  }

  /** A whole number of any length. */
  integer(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (/^\d{1,40}$/.test(text)) return BigInt(text);
    throw usage(`--${name} to be a whole number`, JSON.stringify(text), `Write --${name} 42.`);
  }

  /** Numbers between commas. */
  ids(name: string): number[] | undefined {
    return this.text(name)?.split(',').map((part) => toNumber(part, `--${name}`));
  }
}

export function toNumber(text: string, what: string): number {
  const value = /^\s*[-+]?inf(inity)?\s*$/i.test(text) ? (text.includes('-') ? -Infinity : Infinity) : Number(text);
  if (text.trim() !== '' && !Number.isNaN(value)) return value;
  throw usage(`${what} to be a number`, JSON.stringify(text), `Write ${what} 1, for instance.`);
}

/**
 * Reads a command line against a list of options.
 * @throws StonechatError `bad-option` for options that are unknown, lack a value, have one too many, or come twice.
 */
export function readArguments(argv: readonly string[], options: readonly OptionSpec[]): Arguments {
  const known = options.flatMap((option) => [option, ...(option.former ? [{ name: option.former, short: undefined, value: option.value }] : [])]);
  const config = Object.fromEntries(known.map(({ name, short, value }) => [name, { type: value ? ('string' as const) : ('boolean' as const), multiple: true, ...(short && { short }) }]));
  const { tokens } = parseArgs({ args: [...argv], options: config, strict: false, allowPositionals: true, tokens: true });
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind === 'option') take(token, options, given);
  }
  return new Arguments(given, positionals);
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function take({ name: said, rawName, value, inlineValue }: OptionToken, options: readonly OptionSpec[], given: Map<string, string[]>): void {
  const spec = options.find((other) => other.name === said || other.former === said);
  const name = spec?.name ?? said;
  if (!spec) {
    const names = options.map((other) => other.name);
    throw usage('an option of this command', rawName, didYouMean(name, names, (other) => `--${other}`).trim() || 'See --help; a text that starts with a dash goes after --.');
  }
  if (!spec.value && value !== undefined) throw usage(`--${name} without a value`, JSON.stringify(value), `Write --${name} alone.`);
  if (spec.value && (value === undefined || (!inlineValue && isOption(value, options)))) {
    throw usage(`a value after ${rawName}`, value ?? 'nothing', `Write ${rawName} ${spec.value}.`);
  }
  const values = given.get(name) ?? [];
  if (values.length > 0 && !spec.multiple && spec.value) throw usage(`${rawName} once`, 'it twice', 'Leave one out.');
  given.set(name, [...values, value ?? '']);
}

/** `--temperature` is no value, `-1` and `- said the cat` are. */
const isOption = (text: string, options: readonly OptionSpec[]): boolean =>
  options.some(({ name, short }) => text === `--${name}` || text.startsWith(`--${name}=`) || (short !== undefined && text === `-${short}`));

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\' };

/** Shells pass `\n` on as two characters: here it is a line break, `\t` a tab, `\\` a backslash. */
export const unescape = (text: string): string => text.replaceAll(/\\([ntr\\])/g, (_, letter: string) => ESCAPES[letter]!);
