// Errors of the API speak of options as code names them. At the command line they are flags.
import { StonechatError } from '../../errors.js';
import type { OptionSpec } from './options.js';

/** Options whose names differ by more than their spelling. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  contextLength: 'context',
  chatTemplate: 'template',
  logitBias: 'bias',
  topNSigma: 'top-nsigma',
  dynatempExponent: 'dynatemp-exp',
  mirostatEta: 'mirostat-lr',
  mirostatTau: 'mirostat-ent',
  drySequenceBreakers: 'dry-sequence-breaker',
};

const camel = (name: string): string => name.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** The name in code of what a flag says. */
export const codeName = (flag: string): string => Object.entries(OTHER_NAMES).find(([, name]) => name === flag)?.[0] ?? camel(flag);

/** Names in code of the options of a command, with their flags. */
function flagsOf(options: readonly OptionSpec[]): Map<string, string> {
  const names = new Set(options.map(({ name }) => name));
  const others = Object.entries(OTHER_NAMES).filter(([, name]) => names.has(name));
  return new Map([...[...names].map((name) => [camel(name), name] as const), ...others].map(([name, flag]) => [name, `--${flag}`]));
}

/**
 * `text` with flags in place of the names of code: `overflow to "slide"` is `--overflow slide`. A name that is also an
 * English word is taken for one unless it stands where an error names what is wrong.
 */
function inFlags(text: string, flags: ReadonlyMap<string, string>): string {
  const values = text.replaceAll(/\b([a-z][A-Za-z0-9]+)(?: to|:)? "([\w.-]+)"/g, (whole, name: string, value: string) => {
    const flag = flags.get(name);
    return flag ? `${flag} ${value}` : whole;
  });
  return values.replaceAll(/(?<![-\w`"'./])[a-z][A-Za-z0-9]*(?![\w(]|\.\w)/g, (name, at: number) => {
    const flag = flags.get(name);
    const isName = /[A-Z]/.test(name) || (at === 0 && /^ (to be|once|alone|among)\b/.test(values.slice(name.length)));
    return flag && isName ? flag : name;
  });
}

/** The error as somebody who types flags understands it. */
export function speakFlags(error: StonechatError, options: readonly OptionSpec[]): StonechatError {
  const flags = flagsOf(options);
  const { code, expected, found, remedy, cause, stack } = error;
  const spoken = new StonechatError({
    code, cause, found, expected: inFlags(expected, flags), remedy: inFlags(remedy, flags).replace(/(--[\w-]+) option \(\1\)/, '$1'),
  });
  if (stack !== undefined) spoken.stack = stack;
  return spoken;
}
