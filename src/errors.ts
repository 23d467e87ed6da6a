/** Every way stonechat refuses. One class, a closed list of codes, so that callers can switch on `code`. */
export type ErrorCode =
  | 'bad-option' // an argument has the wrong type, range or combination
  | 'bad-file' // bytes that do not follow their format: magic, version, offsets, shapes that disagree
  | 'truncated' // the file or the download ends before its contents do
  | 'unsupported' // well-formed, but a format, tensor type, architecture or tokenizer that is not implemented
  | 'not-found' // a path, URL, tensor, tokenizer or sibling file that is not there
  | 'network' // the server answered with an error, or the connection failed for good
  | 'out-of-memory' // the model or context does not fit
  | 'context-full' // prompt plus answer exceed the context length
  | 'unavailable' // this host lacks the capability (threads, files, SIMD level)
  | 'disposed' // the model or session was used after dispose()
  | 'aborted' // the caller's AbortSignal
  | 'worker-failed' // a worker thread died or does not answer
  | 'diverged'; // training came to a loss or gradient that is no number

/**
 * Text from a file or a server, safe to print: characters that steer a terminal, or turn the direction of writing, as escapes.
 * `kept` stay as they are.
 */
export const visible = (text: string, kept = ''): string =>
  text.replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (sign) =>
    kept.includes(sign) ? sign : sign === '\n' ? '\\n' : `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A value in an error's words, whatever it is: not every object can be made a text. */
export const plain = (value: unknown): string => (Object(value) === value ? typeof value : typeof value === 'string' ? JSON.stringify(value.slice(0, 60)) : String(value));

/** The signal of a caller has fired. */
export const aborted = (signal: AbortSignal, expected: string, remedy = 'Its reason is in `cause`.'): StonechatError =>
  new StonechatError({ code: 'aborted', expected, found: 'an aborted signal', remedy, cause: signal.reason as unknown });

/** What a StonechatError is made of. */
export interface ErrorDetails {
  code: ErrorCode;
  /** What would have been right, in one clause. */
  expected: string;
  /** What was there instead. */
  found: string;
  /** What the user can do about it. */
  remedy: string;
  cause?: unknown;
}

/**
 * The one error type of the package, thrown at the door (arguments, files, capabilities).
 * The message reads: "Expected …, found …. Remedy."
 */
export class StonechatError extends Error {
  readonly code: ErrorCode;
  readonly expected: string;
  readonly found: string;
  readonly remedy: string;

  constructor(details: ErrorDetails) {
    const { code = 'bad-option', cause, ...rest }: ErrorDetails = Object(details);
    const say = (text: unknown) => visible(typeof text === 'string' ? text : plain(text));
    const [expected, found, remedy] = [say(rest.expected), say(rest.found), say(rest.remedy)];
    super(`Expected ${expected}, found ${found}. ${remedy}`, cause === undefined ? undefined : { cause });
    this.name = 'StonechatError';
    this.code = code;
    this.expected = expected;
    this.found = found;
    this.remedy = remedy;
  }
}
