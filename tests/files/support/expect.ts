import { expect } from 'vitest';
import { type ErrorCode, StonechatError } from '../../../src/errors.js';

/** The call must end in a StonechatError of that code, whose message matches. */
export async function expectRefusal(call: () => Promise<unknown>, code: ErrorCode, message: RegExp): Promise<StonechatError> {
  const error = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error, 'a StonechatError').toBeInstanceOf(StonechatError);
  expect((error as StonechatError).code).toBe(code);
  expect((error as StonechatError).message).toMatch(message);
  return error as StonechatError;
}
