import { StonechatError } from '../../errors.js';

/** A command line that cannot be followed: exit code 2, as for any `bad-option`. */
export function usage(expected: string, found: string, remedy: string): StonechatError {
  return new StonechatError({ code: 'bad-option', expected, found, remedy });
}
