import { aborted as abortedCall, type ErrorCode, plain, StonechatError } from '../errors.js';

const DAMAGED = 'The file is damaged or was not written correctly; download or convert it again.';

/** Shorthand for the errors of this room. */
const refusal =
  (code: ErrorCode, usual: string) =>
  (expected: string, found: string, remedy = usual, cause?: unknown): StonechatError =>
    new StonechatError({ code, expected, found, remedy, cause });

export const badFile = refusal('bad-file', DAMAGED);
export const truncated = refusal('truncated', 'The download or copy is incomplete; fetch the file again.');
export const unsupported = refusal('unsupported', 'Use another file of this model, or convert it.');
export const notFound = refusal('not-found', 'Check the name and the place.');
export const network = refusal('network', 'Check the address and the connection, then try again.');
export const unavailable = refusal('unavailable', 'Use a host that can, or another kind of source.');
export const badOption = refusal('bad-option', 'Correct the call.');

export const aborted = (signal: AbortSignal, what: string): StonechatError => abortedCall(signal, `${what} to finish`, 'Call again without aborting.');

/** Without control characters, cut at 60 characters. */
function tidy(text: string, most = 60): string {
  const clean = text.replace(/[\p{Cc}\ufffd]+/gu, ' ').trim();
  return clean.length > most ? `${clean.slice(0, most)}…` : clean;
}

/** Text from a file, safe to show. */
export const quote = (text: string, most?: number): string => JSON.stringify(tidy(text, most));

/** A value from JSON, safe to show. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return quote(value);
  try {
    return tidy(JSON.stringify(value) ?? plain(value));
  } catch {
    return plain(value); // has a bigint, or itself, in it
  }
}

/** @throws StonechatError `out-of-memory` where the host refuses. */
export function allocate(bytes: number, what: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw refusal('out-of-memory', 'Use a smaller model, or more memory.')(`${bytes} bytes of memory for ${what}`, 'none to be had', undefined, cause);
  }
}
