// Errors cross as plain data: a structured clone would lose their class and their code.
import { StonechatError } from '../errors.js';

export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  /** Of a StonechatError. */
  readonly details?: Pick<StonechatError, 'code' | 'expected' | 'found' | 'remedy'> | undefined;
  readonly cause?: PackedError | string | number | boolean | undefined;
}

/** Causes of causes beyond this are left behind. */
const DEEPEST = 4;

function packCause(cause: unknown, depth: number): PackedError['cause'] {
  if (cause === undefined || depth >= DEEPEST) return undefined;
  return cause instanceof Error ? packError(cause, depth + 1) : String(cause);
}

export function packError(error: unknown, depth = 0): PackedError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack } = error;
  const cause = packCause(error.cause, depth);
  if (!(error instanceof StonechatError)) return { name, message, stack, cause };
  const { code, expected, found, remedy } = error;
  return { name, message, stack, details: { code, expected, found, remedy }, cause };
}

const isPacked = (cause: PackedError['cause']): cause is PackedError => typeof cause === 'object';

/** The reason of the caller's own signal did not cross: it becomes the cause again. */
export function unpackError({ name, message, stack, details, cause }: PackedError, signal?: AbortSignal): Error {
  const own = details?.code === 'aborted' && signal?.aborted ? (signal.reason as unknown) : undefined;
  const reason = own ?? (isPacked(cause) ? unpackError(cause) : cause);
  if (details) return new StonechatError({ ...details, cause: reason });
  const error = new Error(message, reason === undefined ? undefined : { cause: reason });
  return Object.assign(error, { name }, stack === undefined ? {} : { stack });
}

export const workerFailed = (found: string, cause?: unknown): StonechatError =>
  new StonechatError({ code: 'worker-failed', expected: 'the worker of the model to answer', found, remedy: 'Load the model again.', cause });
