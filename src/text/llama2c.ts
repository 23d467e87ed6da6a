import { StonechatError } from '../errors.js';
import { StringList } from '../files/strings.js';
import { TOKEN, type TokenizerSpec } from './spec.js';
import { AT_SPACES } from './split.js';

/**
 * llama2.c's tokenizer.bin: u32 longest token, then for each token f32 score, u32 length, bytes. A space is a space.
 * Ids 0-2 are unknown, BOS and EOS; `<0x00>` … are byte tokens. @throws StonechatError `bad-file`.
 */
export function specFromLlama2c(bytes: Uint8Array): TokenizerSpec {
  const { tokens, scores } = readTokens(bytes);
  const types = Uint8Array.from(tokens, (token, id) => {
    if (id < 3) return id === 0 ? TOKEN.unknown : TOKEN.control;
    if (token === '<pad>') return TOKEN.control;
    return /^<0x[0-9A-F]{2}>$/.test(token) ? TOKEN.byte : TOKEN.normal;
  });
  const names = tokens.map((token, id) => (id < 3 ? token.trim() : token));
  return {
    kind: 'spm',
    tokens: StringList.from(names),
    types,
    added: names.slice(0, 3).map((content, id) => ({ id, content, special: true, lstrip: false, rstrip: false, singleWord: false, normalized: false })),
    normalise: [],
    prefix: { when: 'always' },
    split: AT_SPACES,
    model: { model: 'merge', symbols: 'characters', writing: 'plain', scores, byteIds: byteIds(tokens.length), ignoreMerges: false, fuseUnknown: true },
    before: [1],
    after: [],
    bos: 1,
    eos: 2,
    stop: [1], // llama2.c's models end a story with BOS
    unk: 0,
    dropLeadingSpace: true,
  };
}

/** Do the bytes hold together as tokens from the first to the last, the longest of them as long as the file says at most? */
export function isLlama2c(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const longest = bytes.length >= 4 ? view.getUint32(0, true) : 0;
  let count = 0;
  let at = 4;
  for (; at + 8 <= bytes.length; count++) {
    const length = view.getUint32(at + 4, true);
    if (length > longest || Number.isNaN(view.getFloat32(at, true))) return false;
    at += 8 + length;
  }
  return at === bytes.length && count > 3;
}

/** Byte b is id b + 3 whether the vocabulary has byte tokens or not: llama2.c's rule, by which its models' prompts were made. */
const byteIds = (size: number) => Uint32Array.from({ length: 256 }, (_, byte) => (byte + 3 < size ? byte + 3 : 0));

function readTokens(bytes: Uint8Array): { tokens: string[]; scores: Float32Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tokens: string[] = [];
  const scores: number[] = [];
  const text = new TextDecoder('utf-8', { ignoreBOM: true });
  const longest = bytes.length >= 4 ? view.getUint32(0, true) : 0;
  for (let at = 4; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw malformed(`${bytes.length - at} bytes behind token ${tokens.length - 1}`);
    const length = view.getUint32(at + 4, true);
    if (length > longest || at + 8 + length > bytes.length) throw malformed(`token ${tokens.length} of ${length} bytes`);
    scores.push(view.getFloat32(at, true));
    tokens.push(text.decode(bytes.subarray(at + 8, at + 8 + length)));
    at += 8 + length;
  }
  if (tokens.length < 4) throw malformed(`${tokens.length} tokens`);
  return { tokens, scores: Float32Array.from(scores) };
}

const malformed = (found: string) =>
  new StonechatError({ code: 'bad-file', expected: 'a llama2.c tokenizer.bin', found, remedy: 'Check that the file is the tokenizer that belongs to the model.' });
